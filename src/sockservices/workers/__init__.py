"""
Several processes that serve the same sockets, and the process that starts, replaces and stops them.
"""

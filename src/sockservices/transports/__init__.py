"""
Sockets, and the transports and ports over them. Nothing here depends on responders.
"""

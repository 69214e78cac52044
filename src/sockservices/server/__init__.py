"""
Listeners as Twisted services, and the command that runs them.
"""

"""
Sockets, and the transports and ports over them. They know no responder.
"""

"""
Twisted's protocols over the transports: conversations over streams and datagrams.
"""

"""
The rule of one service and what it may know, the limits on a conversation, and how one ended. No I/O.
"""

"""
Responders and their input, the limits on a conversation, and its outcomes. No I/O.
"""

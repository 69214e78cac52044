"""
The log: its format, a line for each conversation, and a trace of every message.
"""

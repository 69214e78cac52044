"""
The subcommands of the C{sockservices} command, and what they share.
"""

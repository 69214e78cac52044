"""
The subcommands of the C{sockservices} command, and their common modules.
"""

"""
What the C{sockservices} command does beside serving: one file each.
"""

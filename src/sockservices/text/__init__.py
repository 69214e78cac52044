"""
Values as one printable line, for logs and replies: addresses and exceptions.
"""

"""
Values as one printable line: addresses and exceptions, for logs and answers.
"""

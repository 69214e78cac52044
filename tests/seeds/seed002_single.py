"""
A tutorial's first client of an upper-case server: it sends one word and prints the reply. Arguments: host, port.

Changed: names whose case was lost.
"""

import socket
import sys

phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.connect((sys.argv[1], int(sys.argv[2])))
phone.send("Hello".encode("utf-8"))  # noqa: UP012
data = phone.recv(1024)
print("Server Back res:<%s>" % data)  # type: ignore[str-bytes-safe]  # noqa: UP031
phone.close()

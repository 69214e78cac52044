"""
The first client of seed 002: one word in lower case, its answer in upper case. Arguments: host, port.

Forced: names that lost their case.
"""

import socket
import sys

phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.connect((sys.argv[1], int(sys.argv[2])))
phone.send("Hello".encode("utf-8"))  # noqa: UP012
data = phone.recv(1024)
print("Server Back res:<%s>" % data)  # type: ignore[str-bytes-safe]  # noqa: UP031
phone.close()

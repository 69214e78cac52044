"""
The client of seed 003: one greeting, and away without waiting for an answer. Arguments: host, port.

Forced: what is sent is bytes.
"""

import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect((host, port))
s.send(b"hello from client")
s.close()

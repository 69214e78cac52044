"""
A client for the servers that seed 003 makes with socketserver: reads to the end what it is told. Arguments: host, port.

The seed gives none of its own; this one is written as its client is.
"""

import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect((host, port))
while data := s.recv(1024):
    print(data)
s.close()

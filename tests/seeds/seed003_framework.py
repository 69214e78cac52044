"""
A client for a tutorial's servers made with socketserver: it reads to the end. Arguments: host, port.

The tutorial has no client for them; this one is written like its other client.
"""

import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect((host, port))
while data := s.recv(1024):
    print(data)
s.close()

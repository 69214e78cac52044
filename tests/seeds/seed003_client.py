"""
A tutorial's client that sends a greeting and closes without waiting for a reply. Arguments: host, port.

Changed for Python 3: the data is bytes.
"""

import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect((host, port))
s.send(b"hello from client")
s.close()

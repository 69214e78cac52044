"""
A tutorial's TCP client that sends C{hi~} and prints the reply, in an endless loop. Arguments: host, port.

Changed: the address only.
"""

import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
address = (sys.argv[1], int(sys.argv[2]))
s.connect(address)
bufsize = 8192
while 1:
    s.send(b"hi~")
    msg = s.recv(bufsize)
    print(msg)

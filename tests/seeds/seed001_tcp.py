"""
The TCP sender of seed 001: says C{hi~} and prints the answer, for ever. Arguments: host, port.

Forced: nothing but the address.
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

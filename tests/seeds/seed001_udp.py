"""
A tutorial's UDP client that sends C{hi~}. Arguments: host, port.

Changed: the tutorial creates a stream socket, on which C{sendto} ignores the address.
"""

import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
address = (sys.argv[1], int(sys.argv[2]))
s.sendto(b"hi~", address)
s.close()

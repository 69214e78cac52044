"""
The UDP sender of seed 001. Arguments: host, port.

Forced: its socket was made for streams, where C{sendto} has no use for an address.
"""

import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
address = (sys.argv[1], int(sys.argv[2]))
s.sendto(b"hi~", address)
s.close()

"""
A tutorial's outline of a UDP client. Arguments: host, port, data to send.

Changed: the outline receives first, and would wait forever for a server that only replies; this client sends first.
"""

import sys
from socket import AF_INET, SOCK_DGRAM, socket

address, data = (sys.argv[1], int(sys.argv[2])), sys.argv[3].encode()

client = socket(AF_INET, SOCK_DGRAM)
client.sendto(data, address)
print(client.recvfrom(65536)[0])
client.close()

"""
The UDP client of seed 000. Arguments: host, port, what to send.

Forced: the outline receives first, and would wait for ever for a server that speaks when spoken to; here it sends.
"""

import sys
from socket import AF_INET, SOCK_DGRAM, socket

address, data = (sys.argv[1], int(sys.argv[2])), sys.argv[3].encode()

client = socket(AF_INET, SOCK_DGRAM)
client.sendto(data, address)
print(client.recvfrom(65536)[0])
client.close()

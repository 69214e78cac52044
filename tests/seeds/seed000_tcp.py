"""
The TCP client of seed 000: connect, send, receive, close. Arguments: host, port, what to send.

Forced: C{connect} takes one address, what is sent is bytes, and the dots of the outline are filled in.
"""

import sys
from socket import AF_INET, SOCK_STREAM, socket

ip, port, data = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()

client = socket(AF_INET, SOCK_STREAM)
client.connect((ip, port))
client.send(data)
print(client.recv(1024))
client.close()

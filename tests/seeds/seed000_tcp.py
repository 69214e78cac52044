"""
A tutorial's outline of a TCP client: connect, send, receive, close. Arguments: host, port, data to send.

Changed for Python 3: C{connect} takes one address, the data is bytes, and the outline's dots are filled in.
"""

import sys
from socket import AF_INET, SOCK_STREAM, socket

ip, port, data = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()

client = socket(AF_INET, SOCK_STREAM)
client.connect((ip, port))
client.send(data)
print(client.recv(1024))
client.close()

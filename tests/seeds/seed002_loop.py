"""
A tutorial's second client of an upper-case server: it prompts for lines and prints the replies, until the end of its
input. Arguments: host, port.

Changed: names whose case was lost, and lines that were joined.
"""

import socket
import sys

phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.connect((sys.argv[1], int(sys.argv[2])))
while True:
    msg = input(">>:").strip()
    if not msg:
        continue
    phone.send(msg.encode("utf-8"))
    server_data = phone.recv(1024)
    print(server_data.decode("utf-8"))

"""
The second client of seed 002: a prompt, a line, its answer in upper case, until the input ends. Arguments: host, port.

Forced: names that lost their case, and the lines that ran together.
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

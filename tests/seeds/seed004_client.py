"""
The client of seed 004: waits, says its word, prints the answer. Arguments: host, port, seconds to wait, the word.

Forced: C{print} is a function, and what is sent is bytes. Seconds and word are what the seed asks its readers to vary.
"""

import socket
import sys
import time

if __name__ == "__main__":
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((sys.argv[1], int(sys.argv[2])))
    time.sleep(float(sys.argv[3]))
    sock.send(sys.argv[4].encode())
    print(sock.recv(1024))
    sock.close()

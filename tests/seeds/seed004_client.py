"""
A tutorial's client that waits, sends a word, and prints the reply. Arguments: host, port, seconds to wait, the word.

Changed for Python 3: C{print} is a function, and the data is bytes. The seconds and the word are arguments: the
tutorial asks its readers to vary them.
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

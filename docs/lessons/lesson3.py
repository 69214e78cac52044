"""
Lesson 3 of docs/lessons.md: A server with two loops.

It needs this server: sockservices serve --proto all --service all
"""

import socket
import sys
import threading
import time
from contextlib import contextmanager

ECHO, UPPER, WELCOME = ("127.0.0.1", 8007), ("127.0.0.1", 8080), ("127.0.0.1", 8001)
HELLO, GREET = ("127.0.0.1", 2333), ("127.0.0.1", 10000)


def receiveAll(connection):
    """Receive until the peer closes its sending side."""
    return b"".join(iter(lambda: connection.recv(1024), b""))


@contextmanager
def server(serve, clients=1):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        loop = lambda: [serve(listening.accept()[0]) for _ in range(clients)]
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield listening.getsockname()
        thread.join()

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from sockservices import Responder, StreamFactory
from sockservices.responders import Echo, Upper, Welcome

clock, visits = Clock(), []


def connect(responder):
    """Connect a client to a new server, and return the server's protocol and transport."""
    factory = StreamFactory(responder, record=visits.append, clock=clock)
    protocol, transport = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 50000)), StringTransport()
    protocol.makeConnection(transport)
    return protocol, transport

with socket.create_connection(UPPER, timeout=5) as client:
    for line in ("hello", "how are you"):
        client.sendall(line.encode())
        assert client.recv(1024).decode() == line.upper()

def upper(connection):
    with connection:
        while data := connection.recv(1024):
            connection.sendall(data.upper())


with server(upper, clients=2) as address:
    silent = socket.create_connection(address, timeout=5)
    with socket.create_connection(address, timeout=0.2) as second:
        second.sendall(b"hello")
        try:
            print(second.recv(1024))
        except TimeoutError:
            print("no reply")
        silent.close()
        second.settimeout(5)
        print(second.recv(1024))

silent, _ = connect(Upper)
second, transport = connect(Upper)
second.dataReceived(b"hel")
second.dataReceived(b"lo")
assert transport.value() == b"HELLO"

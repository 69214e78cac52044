"""
Lesson 5 of docs/lessons.md: A server with a timeout.

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

with socket.create_connection(WELCOME, timeout=5) as client:
    client.sendall(b"1")
    assert client.recv(1024) == b"welcome to server!"

assert b"1" != "1"

def welcome(connection):
    with connection:
        connection.settimeout(0.1)
        try:
            connection.sendall(b"welcome to server!" if connection.recv(1024) == b"1" else b"please go out!")
        except TimeoutError:
            print("time out")


with server(welcome, clients=4) as address:
    started = time.monotonic()
    silent = [socket.create_connection(address, timeout=5) for _ in range(3)]
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"1")
        print(client.recv(1024), "after all three:", time.monotonic() - started > 0.29)
    for each in silent:
        each.close()

silent = [connect(Welcome)[0] for _ in range(3)]
fourth, transport = connect(Welcome)
fourth.dataReceived(b"1")
print(transport.value(), "after", clock.seconds())

clock.advance(5)
for each in silent:
    each.connectionLost()

print([(visit.outcome.value, visit.seconds) for visit in visits[-3:]])

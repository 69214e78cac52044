"""
Lesson 1 of docs/lessons.md: The calls of a client.

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

with socket.create_connection(ECHO, timeout=5) as client:
    client.sendall(b"any bytes")
    assert client.recv(1024) == b"any bytes"

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(5)
    client.sendto(b"any bytes", ECHO)
    assert client.recvfrom(65536)[0] == b"any bytes"

with socket.create_connection(ECHO, timeout=0.2) as client:
    data = bytes(100_000_000)
    assert 0 < client.send(data) < len(data)
    try:
        client.sendall(data)
    except TimeoutError:
        print("deadlock")

from importlib.util import find_spec

assert (find_spec("asyncore") is None) == (sys.version_info >= (3, 12))

protocol, transport = connect(Echo)
protocol.dataReceived(bytes(100_000))
assert transport.value() == bytes(100_000)

protocol.pauseProducing()  # the transport calls this when its buffer is full
assert transport.producerState == "paused"

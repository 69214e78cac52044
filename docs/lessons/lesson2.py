"""
Lesson 2 of docs/lessons.md: Hello over UDP and TCP.

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

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(5)
    client.sendto(b"hi~", HELLO)
    assert client.recvfrom(8192)[0] == b"hello"

with socket.create_connection(HELLO, timeout=5) as client:
    client.sendall(b"hi~")
    assert client.recv(8192) == b"hello"

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as wrong:
    for attempt in (lambda: wrong.sendto(b"hi~", HELLO), lambda: wrong.recvfrom(8192)):
        try:
            attempt()
        except OSError as error:
            print(error)

for messages in (b"hi~hi~", b"hi~" * 100_000):
    with socket.create_connection(HELLO, timeout=5) as client:
        client.sendall(messages)
        client.shutdown(socket.SHUT_WR)
        print("one" if receiveAll(client) == b"hello" else "many")

with socket.create_connection(ECHO, timeout=5) as client:
    client.sendall(b"hi~")
    print(client.recv(2), client.recv(2))

def greet(connection):
    while True:
        try:
            connection.sendall(b"hello, " + connection.recv(1024))
            greeted += 1
        except:
            print("connection break")
            break


here, there = socket.socketpair()
with here, there:
    there.sendall(b"hi~")
    greet(here)
    print(there.recv(1024))

class HelloLines(Responder):
    name, port = "hello-lines", 2334
    incomplete = b""
    def answer(self, message):
        *lines, self.incomplete = (self.incomplete + message).split(b"\n")
        self.finished = len(self.incomplete) > 1000  # close: the line is too long
        return b"hello\n" * len(lines)


for segments in ([b"hi~\nhi~\n"], [b"h", b"i~\nhi~", b"\n"]):
    protocol, transport = connect(HelloLines)
    for segment in segments:
        protocol.dataReceived(segment)
    assert transport.value() == b"hello\nhello\n"

from twisted.logger import capturedLogs, formatEvent


class Mistaken(Responder):
    name, port = "mistaken", 2335
    def answer(self, message):
        return mesage


with capturedLogs() as events:
    connect(Mistaken)[0].dataReceived(b"hi~")

print(formatEvent(events[0]))

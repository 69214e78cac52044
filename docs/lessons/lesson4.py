"""
Lesson 4 of docs/lessons.md: A server made with socketserver.

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

with socket.create_connection(GREET, timeout=5) as client:
    client.sendall(b"hello from client")
    assert receiveAll(client) == b"connected"

import socketserver


class Greeting(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write("connected")


class Server(socketserver.TCPServer):
    def handle_error(self, request, address):
        print(sys.exception())


with Server(("127.0.0.1", 0), Greeting) as one, socket.create_connection(one.server_address, timeout=5) as client:
    one.handle_request()
    print(receiveAll(client))

for host in ("", "127.0.0.1"):
    with socket.create_server((host, 0)) as listening:
        try:
            socket.create_connection(("127.0.0.2", listening.getsockname()[1]), timeout=5).close()
            print(repr(host), "accepts connections from the network")
        except ConnectionRefusedError:
            print(repr(host), "accepts local connections only")

def count(connection):
    with connection:
        connection.sendall(b"%d bytes" % len(receiveAll(connection)))


with server(count, clients=2) as address:
    with socket.create_connection(address, timeout=0.2) as client:
        client.sendall(b"hello from client")
        try:
            print(client.recv(1024))
        except TimeoutError:
            print("both wait; the client closes; the reply is lost")
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"hello from client")
        client.shutdown(socket.SHUT_WR)
        print(receiveAll(client))

def readOneByte(connection):
    with connection:
        connection.recv(1)
        connection.sendall(b"connected")


with server(readOneByte) as address, socket.create_connection(address, timeout=5) as client:
    client.sendall(b"hello from client")
    try:
        print(receiveAll(client))
    except ConnectionResetError as error:
        print(error)

protocol, transport = connect(Echo)
protocol.dataReceived(b"last message")
protocol.readConnectionLost()  # the peer's shutdown(SHUT_WR)
assert transport.value() == b"last message" and transport.disconnecting

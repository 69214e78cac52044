"""
A server of the fixture that is stopped, started again and observed.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Factory

from sockservices import Outcome, Responder
from sockservices.responders import Echo
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.fixture import Servers
from sockservices.testing.received import MAX_BYTES, MAX_CONVERSATIONS, Received

FAMILIES = {"tcp": socket.AF_INET, "udp": socket.AF_INET, "unix": socket.AF_UNIX, "unixgram": socket.AF_UNIX}


@pytest.fixture
def sockservice() -> Iterator[Servers]:
    """
    The value of the fixture, with a reactor of its own.
    """
    with BackgroundReactor() as background:
        servers = Servers(background)
        yield servers
        servers.close()


def connected(server: Any, transport: str = "tcp") -> socket.socket:
    """
    Connect a client.
    """
    kind = socket.SOCK_STREAM if transport in ("tcp", "unix") else socket.SOCK_DGRAM
    client = socket.socket(FAMILIES[transport], kind)
    client.settimeout(10)
    if transport == "unixgram":
        client.bind("")
    try:
        client.connect(server.address)
    except OSError:
        client.close()
        raise
    return client


def exchanged(server: Any, transport: str) -> bytes:
    """
    Send a message, and receive the reply.
    """
    with connected(server, transport) as client:
        client.send(b"hello")
        return client.recv(10)


@pytest.mark.parametrize("transport", FAMILIES)
def test_stopAndStart(sockservice: Servers, transport: str) -> None:
    """
    A server that is stopped and started again has the same address, and keeps its visits.
    """
    server = sockservice("echo", transport)
    address = server.address
    for _ in range(2):
        assert exchanged(server, transport) == b"hello"
        server.stop()
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            exchanged(server, transport)
        server.start()
        assert server.address == address
    assert exchanged(server, transport) == b"hello"
    server.wait(3)
    assert server.received == [b"hello"] * 3


def test_stopResetsConnections(sockservice: Servers) -> None:
    """
    C{stop} resets the open connections, as the end of a server's process does. Both methods may be called twice.
    """
    server = sockservice("echo")
    with connected(server) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        server.stop()
        server.stop()
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    assert [visit.outcome for visit in server.visits] == [Outcome.DRAINED]
    server.start()
    server.start()
    connected(server).close()


def test_connections(sockservice: Servers) -> None:
    """
    C{connections} is the number of open connections.
    """
    server = sockservice("echo")
    assert server.connections == 0
    with connected(server) as first, connected(server) as second:
        for client in (first, second):
            client.sendall(b"x")
            client.recv(1)
        assert server.connections == 2
    server.wait(2)
    assert server.connections == 0
    server.stop()
    assert server.connections == 0


def test_port(sockservice: Servers) -> None:
    """
    C{port} is a fixed port; another server cannot listen on it.
    """
    address = sockservice("echo").address
    with pytest.raises(OSError, match="in use"):
        sockservice("echo", port=address[1])
    free = sockservice("echo", "udp", port=address[1])
    assert free.address == address


@pytest.mark.parametrize(
    ("arguments", "port", "message"),
    [
        (("echo",), 65536, "port 65536: expected 0 to 65535"),
        (("echo",), "http", "port 'http': expected 0 to 65535"),
        (("echo",), True, "port True: expected 0 to 65535"),
        (("echo", "unix"), 8007, "port 8007: expected none with unix, which has no ports"),
    ],
)
def test_wrongPort(sockservice: Servers, arguments: tuple[str, ...], port: Any, message: str) -> None:
    """
    A wrong port is an error of the call.
    """
    with pytest.raises(ValueError, match=message):
        sockservice(*arguments, port=port)


def test_received(sockservice: Servers) -> None:
    """
    C{received} has the bytes of each conversation, in the order in which they began.
    """
    server = sockservice("echo")
    with connected(server) as first, connected(server) as second:
        for client, data in ((first, b"1"), (second, b"22"), (first, b"3")):
            client.sendall(data)
            client.recv(10)
        assert server.received == [b"13", b"22"]


def test_receivedAtReset(sockservice: Servers) -> None:
    """
    A reset loses nothing that the server has read.
    """
    server = sockservice("echo")
    with connected(server) as client:
        client.sendall(b"hello")
        client.recv(10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.wait(1)
    assert (server.visits[0].outcome, server.received) == (Outcome.RESET, [b"hello"])


def test_receivedIsBounded() -> None:
    """
    The first bytes of the last conversations are kept.
    """
    received = Received()
    for number in range(MAX_CONVERSATIONS + 1):
        kept = received.begin(b"%d" % number)
    for _ in range(3):
        received.add(kept, bytes(MAX_BYTES // 2))
    found = received.all()
    assert (len(found), found[0], len(found[-1])) == (MAX_CONVERSATIONS, b"1", MAX_BYTES)


class Incomplete:
    """
    Has one of the methods of a responder.
    """

    def answer(self, message: bytes) -> bytes:
        """
        Return the message.
        """
        return message


async def noPeer() -> None:
    """
    Lacks the argument of a coroutine that serves a peer.
    """


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (lambda data: data.upper(), r"<lambda>\(\) raised AttributeError\(.*'upper'.*expected a Responder"),
        (lambda conversation: b"hello", r"<lambda>\(\) returned bytes, expected a Responder"),
        (lambda: Echo, "<lambda>: expected to be called with a Conversation alone"),
        (noPeer, "noPeer: expected to be called with the peer alone: too many positional arguments"),
        (lambda conversation: Echo, r"<lambda>\(\) returned type, expected a Responder"),
        (Incomplete, "Incomplete: expected a Responder class"),
        (Factory, "Factory: expected a Responder class"),
    ],
)
def test_noResponder(sockservice: Servers, service: Any, message: str) -> None:
    """
    What makes no responder is an error of the call.
    """
    with pytest.raises(ValueError, match=message):
        sockservice(service)


def test_classWithArguments(sockservice: Servers) -> None:
    """
    A callable that makes a responder is called with a conversation that has no peer, to check it.
    """

    class Configured(Responder):
        def __init__(self, conversation: Any, text: bytes) -> None:
            super().__init__(conversation)
            self.text = text

        def greeting(self) -> bytes:
            return self.text

    server = sockservice(lambda conversation: Configured(conversation, b"hello"))
    with connected(server) as client:
        assert client.recv(10) == b"hello"

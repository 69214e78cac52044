"""
Endpoints that listen on the address of a binding.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.internet.interfaces import IListeningPort
from zope.interface.verify import verifyObject

from sockservices.conversation.transport import Transport
from sockservices.testing import DatagramMemoryReactor
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint
from sockservices.transports.sockets import OpenError, openSockets
from tests.support.datagram_ports import UpperDatagrams
from tests.support.loop import descriptors
from tests.support.stream_ports import StreamPortCase
from tests.support.twistd import environment

TCP, UDP, UNIX, UNIXGRAM = Transport


class EndpointTests(StreamPortCase):
    """
    Endpoints on a reactor with real sockets.
    """

    def setUp(self) -> None:
        """
        Count the descriptors.
        """
        super().setUp()
        self.protocol = UpperDatagrams()
        self.before = descriptors()

    def endpoints(self) -> list[tuple[Any, Any]]:
        """
        One endpoint for each kind of socket, and the factory or protocol for it.
        """
        path = str(self.folder / "socket")
        streams = (InetBinding(TCP, 0), InetBinding(TCP, 0, "::1"), UnixBinding(UNIX, path))
        datagrams = (InetBinding(UDP, 0), InetBinding(UDP, 0, "::1"), UnixBinding(UNIXGRAM, path))
        return [
            *((StreamEndpoint(self.reactor, binding), self.factory) for binding in streams),
            *((DatagramEndpoint(self.reactor, binding), self.protocol) for binding in datagrams),
        ]

    def assertNothingLeft(self) -> None:
        """
        Check that no descriptor and no file is left.
        """
        self.assertEqual((descriptors(), list(self.folder.iterdir())), (self.before, []))

    def test_listen(self) -> None:
        """
        An endpoint gives a port, which serves until it is stopped; then it can listen again.
        """
        for endpoint, served in self.endpoints():
            for _ in range(2):
                port: Any = self.successResultOf(endpoint.listen(served))
                verifyObject(IListeningPort, port)
                address = port.getHost()
                if served is self.factory:
                    client = self.connect(address)
                    self.assertServed(client)
                    client.close()
                    self.until(lambda: self.factory.made == self.factory.lost)
                else:
                    self.assertIs(self.protocol.transport, port)
                self.successResultOf(port.stopListening())
                if served is self.factory:
                    self.assertRaises((ConnectionRefusedError, FileNotFoundError), self.connect, address)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_open(self) -> None:
        """
        A socket that C{open} has opened is used by C{listen}. A client that connects between the two is served.
        """
        path = str(self.folder / "socket")
        endpoint = StreamEndpoint(self.reactor, UnixBinding(UNIX, path))
        endpoint.open()
        endpoint.open()
        self.assertEqual(descriptors(), self.before + 1)
        client = self.connect(path)
        port: Any = self.successResultOf(endpoint.listen(self.factory))
        self.assertEqual(descriptors(), self.before + 3, "the socket, the client and the poll group")
        self.assertServed(client)
        client.close()
        self.until(lambda: self.factory.lost)
        self.successResultOf(port.stopListening())
        self.assertNothingLeft()

    def test_close(self) -> None:
        """
        A socket that C{open} has opened can be closed instead. Closing it again has no effect.
        """
        for endpoint, _ in self.endpoints():
            endpoint.open()
            self.assertEqual(descriptors(), self.before + 1)
            endpoint.close()
            endpoint.close()
            self.assertNothingLeft()

    def test_addressInUse(self) -> None:
        """
        When the socket cannot be opened, C{listen} gives a failed Deferred, and C{open} raises.
        """
        (used,) = map(self.closeLater, openSockets(InetBinding(TCP, 0)))
        binding = InetBinding(TCP, used.socket.getsockname()[1])
        endpoint = StreamEndpoint(self.reactor, binding)
        error = f"{binding}: Address already in use"
        self.assertEqual(str(self.failureResultOf(endpoint.listen(self.factory), OpenError).value), error)
        self.assertEqual(str(self.assertRaises(OpenError, endpoint.open)), error)

    def test_socketOfTheOtherKind(self) -> None:
        """
        A socket of the other kind, as a service manager may pass under any name, is an error and is closed.
        """
        table: list[tuple[Any, Any, Transport, Transport, str]] = [
            (StreamEndpoint, self.factory, TCP, UDP, "for connections, not for datagrams"),
            (DatagramEndpoint, self.protocol, UDP, TCP, "for datagrams, not for connections"),
        ]
        for endpointClass, served, kind, other, message in table:
            (bound,) = openSockets(InetBinding(other, 0))
            listening = endpointClass(self.reactor, InetBinding(kind, 0), bound).listen(served)
            self.assertIn(message, str(self.failureResultOf(listening, OpenError).value))
            self.assertNothingLeft()

    def test_startFails(self) -> None:
        """
        When the protocol fails to start, the socket is closed, and its file is removed.
        """

        def fail() -> None:
            raise ZeroDivisionError("on purpose")

        self.protocol.startProtocol = fail  # type: ignore[method-assign]
        endpoint = DatagramEndpoint(self.reactor, UnixBinding(UNIXGRAM, str(self.folder / "socket")))
        self.failureResultOf(endpoint.listen(self.protocol), ZeroDivisionError)
        self.assertNothingLeft()

    def test_memoryReactor(self) -> None:
        """
        A reactor in memory gets all values of the binding, and a backlog for many connections. No socket is opened.
        """
        reactor, path = DatagramMemoryReactor(), "/missing/socket"
        table: list[tuple[Any, Any, Any]] = [
            (StreamEndpoint, InetBinding(TCP, 8007, "::1"), self.factory),
            (StreamEndpoint, UnixBinding(UNIX, path, 0o660), self.factory),
            (DatagramEndpoint, InetBinding(UDP, 8007, "::1"), self.protocol),
            (DatagramEndpoint, UnixBinding(UNIXGRAM, path, 0o660), self.protocol),
        ]
        for endpointClass, binding, served in table:
            endpoint = endpointClass(reactor, binding)
            endpoint.open()
            self.successResultOf(endpoint.listen(served))
        self.assertEqual(reactor.tcpServers, [(8007, self.factory, 1024, "::1")])
        self.assertEqual(reactor.unixServers, [(path, self.factory, 1024, 0o660, 0)])
        self.assertEqual(reactor.udpServers, [(8007, self.protocol, "::1", 8192)])
        self.assertEqual(reactor.unixDatagramServers, [(path, self.protocol, 8192, 0o660)])
        self.assertNothingLeft()

    def test_severalInheritedSockets(self) -> None:
        """
        An endpoint is one port: if a service manager passes several sockets of its name, it raises and closes all.
        """
        passed = [self.closeLater(openSockets(InetBinding(TCP, 0))[0]).socket.fileno() for _ in range(2)]
        command = [sys.executable, "-c", SERVICE_MANAGER, SERVER, *map(str, passed)]
        server = subprocess.run(
            command, env=environment(), pass_fds=passed, capture_output=True, text=True, timeout=30, check=True
        )
        self.assertEqual(server.stderr, "", "left open")
        self.assertEqual(server.stdout, "systemd:echo: there are several sockets of this name\n")


#: Becomes another program, to which it passes sockets as a service manager does.
SERVICE_MANAGER = """
import os, sys
program, *numbers = sys.argv[1:]
for target, number in enumerate(map(int, numbers), 3):
    os.dup2(number, target)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="echo:echo")
os.execv(sys.executable, [sys.executable, "-Walways::ResourceWarning", "-c", program])
"""

#: Listens on a name, and prints the error, and which of the sockets are still open.
SERVER = """
import os
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from sockservices.transports.bindings import SystemdBinding
from sockservices.transports.endpoints import StreamEndpoint

StreamEndpoint(reactor, SystemdBinding("echo")).listen(Factory()).addErrback(lambda failure: print(failure.value))
for number in (3, 4):
    try:
        print("open:", os.fstat(number))
    except OSError:
        pass
"""

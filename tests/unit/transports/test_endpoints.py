"""
Endpoints that listen where a binding says.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.protocols.wire import Echo
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sockservices.conversation.transport import Transport
from sockservices.testing import DatagramMemoryReactor
from sockservices.transports.bindings import Binding, InetBinding, UnixBinding
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint
from sockservices.transports.sockets import OpenError, openSockets
from tests.support.loop import LoopCase, descriptors
from tests.support.twistd import environment

TCP, UDP, UNIX, UNIXGRAM = Transport


def factory() -> Any:
    """
    A factory that says nothing of its own.
    """
    made: Any = Factory.forProtocol(Echo)
    made.noisy = False
    return made


class Quiet(DatagramProtocol):
    """
    A protocol that says nothing of its own.
    """

    noisy = False


class Broken(Quiet):
    """
    A protocol that does not start.
    """

    def startProtocol(self) -> None:
        """
        Fail.
        """
        raise ZeroDivisionError("on purpose")


class ListenTests(LoopCase):
    """
    On a reactor with real sockets.
    """

    def bindings(self, stream: bool) -> list[Binding]:
        """
        One binding of each kind.
        """
        inet, unix = (TCP, UNIX) if stream else (UDP, UNIXGRAM)
        return [InetBinding(inet, 0), InetBinding(inet, 0, "::1"), UnixBinding(unix, str(self.folder / "socket"))]

    def test_stream(self) -> None:
        """
        A stream endpoint gives a port on which connections are served, until it is stopped.
        """
        for binding in self.bindings(True):
            port: Any = self.successResultOf(StreamEndpoint(self.reactor, binding).listen(factory()))
            verifyObject(IListeningPort, port)
            host = port.getHost()
            client = self.connect(host)
            client.send(b"words")
            self.assertEqual(self.hear(client, 5), b"words")
            client.close()
            self.successResultOf(port.stopListening())
            self.assertRaises((ConnectionRefusedError, FileNotFoundError), self.connect, host)

    def test_datagram(self) -> None:
        """
        A datagram endpoint gives a port, and the protocol has it for its transport.
        """
        for binding in self.bindings(False):
            protocol = Quiet()
            port: Any = self.successResultOf(DatagramEndpoint(self.reactor, binding).listen(protocol))
            verifyObject(IListeningPort, port)
            self.assertIs(protocol.transport, port)
            self.successResultOf(port.stopListening())

    def test_openedBefore(self) -> None:
        """
        What has been opened, at the latest possible moment with all privileges, is what is listened on later.
        """
        endpoint = StreamEndpoint(self.reactor, InetBinding(TCP, 0))
        before = descriptors()
        endpoint.open()
        endpoint.open()
        self.assertEqual(descriptors(), before + 1)
        port: Any = self.successResultOf(endpoint.listen(factory()))
        self.assertEqual(descriptors(), before + 2, "the socket, and the poll group")
        self.successResultOf(port.stopListening())
        self.assertEqual(descriptors(), before)

    def test_waitsWhileOpen(self) -> None:
        """
        Who connects between opening and listening waits, and is served.
        """
        path = str(self.folder / "socket")
        endpoint = StreamEndpoint(self.reactor, UnixBinding(UNIX, path))
        endpoint.open()
        client = self.connect(path)
        client.send(b"words")
        port: Any = self.successResultOf(endpoint.listen(factory()))
        self.assertEqual(self.hear(client, 5), b"words")
        port.stopListening()

    def test_closedInstead(self) -> None:
        """
        What has been opened can be closed again, which leaves nothing; closing once more does no harm.
        """
        before = descriptors()
        for endpoint in (
            StreamEndpoint(self.reactor, UnixBinding(UNIX, str(self.folder / "stream"))),
            DatagramEndpoint(self.reactor, UnixBinding(UNIXGRAM, str(self.folder / "datagram"))),
        ):
            endpoint.open()
            self.assertEqual(len(list(self.folder.iterdir())), 1)
            endpoint.close()
            endpoint.close()
            self.assertEqual(list(self.folder.iterdir()), [])
        self.assertEqual(descriptors(), before)

    def test_again(self) -> None:
        """
        An endpoint can be listened on again, after its port has stopped.
        """
        for endpoint, served in (
            (StreamEndpoint(self.reactor, InetBinding(TCP, 0)), factory()),
            (DatagramEndpoint(self.reactor, InetBinding(UDP, 0)), Quiet()),
        ):
            for _ in range(3):
                port: Any = self.successResultOf(endpoint.listen(served))  # type: ignore[arg-type]
                self.assertGreater(port.getHost().port, 0)
                self.successResultOf(port.stopListening())

    def test_failure(self) -> None:
        """
        What cannot be listened on is a failed Deferred, and an exception when it is to be opened.
        """
        (taken,) = openSockets(InetBinding(TCP, 0))
        self.keep(taken)
        binding = InetBinding(TCP, taken.socket.getsockname()[1])
        endpoint = StreamEndpoint(self.reactor, binding)
        error = f"{binding}: Address already in use"
        self.assertEqual(str(self.failureResultOf(endpoint.listen(factory()), OpenError).value), error)
        self.assertEqual(str(self.assertRaises(OpenError, endpoint.open)), error)

    def test_wrongKind(self) -> None:
        """
        A socket of the other kind, as a service manager may pass under any name, is refused and closed.
        """
        before = descriptors()
        (datagram,) = openSockets(InetBinding(UDP, 0))
        listening: Any = StreamEndpoint(self.reactor, InetBinding(TCP, 0), datagram).listen(factory())
        self.assertIn("for connections, not for datagrams", str(self.failureResultOf(listening, OpenError).value))
        (stream,) = openSockets(InetBinding(TCP, 0))
        listening = DatagramEndpoint(self.reactor, InetBinding(UDP, 0), stream).listen(Quiet())
        self.assertIn("for datagrams, not for connections", str(self.failureResultOf(listening, OpenError).value))
        self.assertEqual(descriptors(), before)

    def test_startFails(self) -> None:
        """
        When the protocol fails to start, the socket is closed, and its file is gone.
        """
        before = descriptors()
        endpoint = DatagramEndpoint(self.reactor, UnixBinding(UNIXGRAM, str(self.folder / "socket")))
        self.failureResultOf(endpoint.listen(Broken()), ZeroDivisionError)
        self.assertEqual((descriptors(), list(self.folder.iterdir())), (before, []))


class MemoryTests(SynchronousTestCase):
    """
    On a reactor in memory: it is asked to listen, and no socket is opened.
    """

    def test_stream(self) -> None:
        """
        It gets all values of the binding, and a backlog for many connections.
        """
        reactor, served = DatagramMemoryReactor(), factory()
        before = descriptors()
        for binding in (InetBinding(TCP, 8007, "::1"), UnixBinding(UNIX, "/nowhere/socket", 0o660)):
            endpoint = StreamEndpoint(reactor, binding)
            endpoint.open()
            self.successResultOf(endpoint.listen(served))
        self.assertEqual(reactor.tcpServers, [(8007, served, 1024, "::1")])
        self.assertEqual(reactor.unixServers, [("/nowhere/socket", served, 1024, 0o660, 0)])
        self.assertEqual(descriptors(), before)

    def test_datagram(self) -> None:
        """
        So it is for datagrams.
        """
        reactor, served = DatagramMemoryReactor(), Quiet()
        for binding in (
            InetBinding(UDP, 8007, "::1"),
            UnixBinding(UNIXGRAM, "/nowhere/socket", 0o660),
        ):
            self.successResultOf(DatagramEndpoint(reactor, binding).listen(served))
        self.assertEqual(reactor.udpServers, [(8007, served, "::1", 8192)])
        self.assertEqual(reactor.unixDatagramServers, [("/nowhere/socket", served, 8192, 0o660)])


#: Becomes another program, to which it passes sockets as a service manager does.
MANAGER = """
import os, sys
program, *numbers = sys.argv[1:]
for target, number in enumerate(map(int, numbers), 3):
    os.dup2(number, target)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="echo:echo")
os.execv(sys.executable, [sys.executable, "-Walways::ResourceWarning", "-c", program])
"""

#: Listens on a name, and prints how that fails, and what of the sockets is still open.
HEIR = """
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


class SystemdTests(LoopCase):
    """
    With sockets that a service manager has opened.
    """

    def test_several(self) -> None:
        """
        An endpoint is one port: if several sockets have its name, it raises and listens on none.
        """
        passed = [self.keep(openSockets(InetBinding(TCP, 0))[0]).socket.fileno() for _ in range(2)]
        command = [sys.executable, "-c", MANAGER, HEIR, *map(str, passed)]
        heir = subprocess.run(
            command, env=environment(), pass_fds=passed, capture_output=True, text=True, timeout=30, check=True
        )
        self.assertEqual(heir.stderr, "", "left open")
        self.assertEqual(heir.stdout, "systemd:echo: there are several sockets of this name\n")

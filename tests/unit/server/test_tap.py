"""
The server that the options ask for.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.tcp import Server
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices import DatagramResponder, Policy, StreamFactory
from sockservices.conversation.transport import Transport
from sockservices.responders import Echo
from sockservices.server.config import ListenerConfig, ServerConfig
from sockservices.server.options import Options
from sockservices.server.supervisor import Supervisor
from sockservices.tap import makeService
from sockservices.testing import DatagramMemoryReactor
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.sockets import openSockets
from tests.support.loop import LoopCase, descriptors
from tests.support.twistd import COMMAND, Twistd, environment

TCP, UDP, UNIX, UNIXGRAM = Transport

PEER = IPv4Address("TCP", "192.0.2.7", 40000)


def parsed(*arguments: str) -> Options:
    """
    Parse a command line.
    """
    options = Options()
    options.parseOptions(list(arguments))
    return options


class SelectMemoryReactor(DatagramMemoryReactor, SelectReactor):  # type: ignore[misc]
    """
    A reactor in memory that L{makeService} takes for the select reactor.
    """

    nameResolver: Any = None


class MemoryTests(SynchronousTestCase):
    """
    The listeners of a reactor in memory.
    """

    def setUp(self) -> None:
        """
        Make the reactor.
        """
        self.reactor = DatagramMemoryReactor()

    def start(self, *arguments: str) -> Supervisor:
        """
        Start a server.
        """
        server = makeService(parsed(*arguments), self.reactor)
        server.startService()
        return server

    def factory(self, *arguments: str) -> Any:
        """
        Start a server and return the factory of its only listener.
        """
        self.start(*arguments)
        ((_, factory, _, _),) = self.reactor.tcpServers
        return factory

    def converse(self, factory: Any, *segments: bytes) -> list[str]:
        """
        Have a conversation. @return: its log lines.
        """
        with capturedLogs() as events:
            protocol: Any = factory.buildProtocol(PEER)
            protocol.makeConnection(StringTransport(peerAddress=PEER))
            for segment in segments:
                protocol.dataReceived(segment)
            protocol.connectionLost(Failure(ConnectionDone()))
        return [str(formatEvent(event)) for event in events]

    def test_defaultListeners(self) -> None:
        """
        Without options echo, upper and welcome listen on their TCP ports of 127.0.0.1.
        """
        self.start()
        listening = [(each[1].responder.name, each[0], each[3]) for each in self.reactor.tcpServers]  # type: ignore[attr-defined]
        self.assertEqual(
            listening, [("echo", 8007, "127.0.0.1"), ("upper", 8080, "127.0.0.1"), ("welcome", 8001, "127.0.0.1")]
        )
        self.assertEqual((self.reactor.udpServers, self.reactor.unixServers), ([], []))

    def test_everyKindOfListener(self) -> None:
        """
        Each kind of listener is created with its options.
        """
        self.start(
            "--proto=all",
            "--service=echo=7",
            "--listen=time=unix:/a:mode=660",
            "--listen=time=unixgram:/b:mode=620",
            "--listen=time=haproxy:tcp:9:interface=127.0.0.1",
        )
        self.assertEqual([each[0] for each in self.reactor.tcpServers], [7, 9])
        self.assertEqual([each[0] for each in self.reactor.udpServers], [7])
        self.assertEqual([(each[0], each[3]) for each in self.reactor.unixServers], [("/a", 0o660)])
        self.assertEqual([(each[0], each[3]) for each in self.reactor.unixDatagramServers], [("/b", 0o620)])

    def test_sharedPolicyAndCensus(self) -> None:
        """
        All listeners share one policy, one census and the reactor's clock.
        """
        self.start("--proto=all", "--service=echo", "--service=time", "--idle-timeout=7")
        served: list[Any] = [each[1] for each in (*self.reactor.tcpServers, *self.reactor.udpServers)]
        self.assertEqual([type(each) for each in served], [StreamFactory] * 2 + [DatagramResponder] * 2)
        self.assertEqual({each.policy.idleTimeout for each in served}, {7.0})
        self.assertEqual(len({each.policy for each in served}), 1)
        self.assertEqual(len({id(each.census) for each in served}), 1)
        self.assertEqual({id(each.clock) for each in served}, {id(self.reactor)})

    def test_conversationIsLogged(self) -> None:
        """
        Each conversation has one line in the log.
        """
        (logged,) = self.converse(self.factory("--service=echo"), b"words")
        self.assertEqual(logged, "echo tcp 192.0.2.7:40000 done: 0.000 s, 5 bytes received, 5 sent")

    def test_messagesAreLogged(self) -> None:
        """
        With C{--show} messages are logged.
        """
        logged = self.converse(self.factory("--service=echo", "--show"), b"words\n")
        self.assertEqual(len(logged), 3)
        self.assertIn("192.0.2.7:40000: b'words\\n'", logged[1])

    def test_pendingSummaryIsLoggedAtTheStop(self) -> None:
        """
        A pending summary of conversations is logged at the stop.
        """
        server = self.start("--service=echo", "--max-per-source=1", "--max-rate=0")
        factory: Any = self.reactor.tcpServers[0][1]
        admitted = [factory.buildProtocol(PEER) is not None for _ in range(4)]
        self.assertEqual(admitted, [True, False, False, False])
        with capturedLogs() as events:
            self.successResultOf(server.stopService())
        self.assertIn("2 more conversations not logged individually: 2 refused", map(formatEvent, events))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_linesPerSecond(self) -> None:
        """
        The log limits its lines per second by the reactor's clock.
        """
        factory = self.factory("--service=echo", "--max-rate=0")
        for _ in range(100):
            self.assertEqual(len(self.converse(factory)), 1)
        self.assertNotIn("echo tcp", "".join(self.converse(factory)))
        self.reactor.advance(1)
        self.assertIn("echo tcp", "".join(self.converse(factory)))

    def test_readyIsLogged(self) -> None:
        """
        The number of listeners is logged when the reactor runs.
        """
        self.start()
        with capturedLogs() as events:
            self.reactor.run()
        self.assertIn("ready: 3 listeners", [formatEvent(event) for event in events])

    def test_nothingBeforeTheStart(self) -> None:
        """
        The reactor gets no listener before the server starts.
        """
        makeService(parsed("--proto=all"), self.reactor)
        self.assertEqual(
            (self.reactor.tcpServers, self.reactor.udpServers, self.reactor.getDelayedCalls()), ([], [], [])
        )

    def test_connectionsAreCappedToDescriptors(self) -> None:
        """
        The limit of connections is at most the descriptor limit minus 64.
        """

        def config(connections: int) -> ServerConfig:
            policy = Policy(maxConnections=connections)
            return ServerConfig(listeners=(ListenerConfig(service=Echo, binding="tcp:7", policy=policy),))

        for files, asked, expected in [(200, 1000, 136), (200, 0, 136), (200, 100, 100), (64, 5, 1), (9, 0, 1)]:
            (listener,) = config(asked).capToDescriptorLimit(files).listeners
            self.assertEqual(listener.policy.maxConnections, expected)
        self.assertEqual(config(0).capToDescriptorLimit(resource.RLIM_INFINITY), config(0))

    def test_selectReactor(self) -> None:
        """
        select(2) cannot wait for a descriptor above 1023, however many the process may open.
        """
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (2048, limits[1]))
        for reactor, expected in ((DatagramMemoryReactor(), 1984), (SelectMemoryReactor(), 960)):
            server = makeService(parsed("--service=echo=0", "--max-connections=0"), reactor)
            listeners: list[Any] = list(server)
            self.assertEqual(listeners[0]._served.policy.maxConnections, expected)
            server.close()

    def test_cappedLimitIsLogged(self) -> None:
        """
        A warning is logged if C{--max-connections} is more than the descriptor limit allows.
        """
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.start("--service=echo", "--max-connections=1000000000")
        with capturedLogs() as events:
            self.reactor.run()
        served: Any = self.reactor.tcpServers.pop()[1]
        self.assertEqual(served.policy.maxConnections, files - 64)
        logged = [formatEvent(event) for event in events]
        self.assertIn(f"--max-connections 1000000000: {files - 64} are possible with {files} open files", logged)


class StartTests(LoopCase):
    """
    A start is complete, or it fails and leaves nothing.
    """

    def setUp(self) -> None:
        """
        Bind a TCP and a UDP port.
        """
        super().setUp()
        self.taken = {}
        for stream in (True, False):
            (opened,) = openSockets(InetBinding(TCP if stream else UDP, 0))
            self.keep(opened)
            self.taken[stream] = opened.socket.getsockname()[1]

    def make(self, *arguments: str) -> Supervisor:
        """
        Make a server that is stopped after the test.
        """
        server = makeService(parsed(*arguments), self.reactor)
        self.addCleanup(self.stop, server)
        return server

    def stop(self, server: Supervisor) -> None:
        """
        A stop ends the conversations of all listeners.
        """
        if server.running:
            self.wait(server.stopService())

    def hosts(self, server: Supervisor) -> list[Any]:
        """
        The addresses of a server.
        """
        listeners: list[Any] = list(server)
        return [listener.port.getHost() for listener in listeners]

    def refusal(self, *arguments: str) -> str:
        """
        Make a server that fails, and check that no descriptor, file or listener remains. @return: the error line.
        """
        before = descriptors(), sorted(self.folder.iterdir())
        code: Any = self.assertRaises(SystemExit, makeService, parsed(*arguments), self.reactor).code
        self.turn(3)
        self.assertEqual((descriptors(), sorted(self.folder.iterdir())), before)
        self.assertQuiet()
        self.assertNotIn("\n", code)
        return str(code)

    def test_secondListenerFails(self) -> None:
        """
        When the second of two listeners fails, the first is closed and its file removed. The line names the option, the
        address and the cause (T24).
        """
        tcp, udp, path = f"tcp:{self.taken[True]}", f"udp:{self.taken[False]}", self.folder / "socket"
        # Twisted keeps a descriptor in reserve from its first port on.
        self.wait(self.make("--listen=echo=haproxy:tcp:0:interface=127.0.0.1").stopService())
        first = ["tcp:0", "udp:0", f"unix:{path}", f"unixgram:{path}", "unix:@sockservices-tests"]
        first.append("haproxy:tcp:0:interface=127.0.0.1")
        second = [
            (tcp, f"tcp:127.0.0.1:{self.taken[True]}: Address already in use"),
            (udp, f"udp:127.0.0.1:{self.taken[False]}: Address already in use"),
            (f"unix:{path}/socket", f"unix:{path}/socket: No.*director"),
            ("tcp:0:interface=192.0.2.1", "tcp:192.0.2.1:0: Cannot assign requested address"),
            (f"haproxy:{tcp}", "Address already in use"),
            ("nonsense:7", "nonsense"),
            ("systemd:echo", "systemd:echo: .*none at all"),
        ]
        # A listener is closed in the same way whatever the failure of the other is: each value occurs at least once.
        for opened, (failing, cause) in zip([*first, first[0]], second, strict=True):
            logged = self.refusal(f"--listen=echo={opened}", f"--listen=time={failing}")
            self.assertRegex(logged, f"^sockservices: --listen time={failing}: .*{cause}")

    def test_implicitWildcard(self) -> None:
        """
        An endpoint of Twisted's that would listen on every interface fails, and is closed.
        """
        # Twisted keeps a descriptor in reserve from its first port on.
        self.wait(self.make("--listen=echo=tcp6:0:interface=\\:\\:1").stopService())
        for endpoint in ("haproxy:tcp6:0", "tcp6:0"):
            self.assertIn("every interface", self.refusal(f"--listen=echo={endpoint}"))

    def test_inheritedPlain(self) -> None:
        """
        --plain holds for the sockets of the service manager: their connections are in no poll group.
        """
        for plain in (True, False):
            with socket.create_server(("127.0.0.1", 0)) as inherited:
                inherited.set_inheritable(True)
                names = ":" * (inherited.fileno() - 3) + "echo"
                count = str(inherited.fileno() - 2)
                for name, value in {"PID": str(os.getpid()), "FDS": count, "FDNAMES": names}.items():
                    self.patch(os, "environ", os.environ | {f"LISTEN_{name}": value})
                server = self.make("--listen=echo=systemd:echo", *["--plain"] * plain)
                inherited.detach()
            server.startService()
            listeners: list[Any] = list(server)
            self.assertEqual(listeners[0].port.group is None, plain)
            self.wait(server.stopService())

    def test_connectionsAtTheStop(self) -> None:
        """
        The log counts the connections that have waited to be accepted until the stop.
        """
        server = self.make("--service=echo=0")
        server.startService()
        client = self.connect(self.hosts(server)[0])
        with capturedLogs() as events:
            stopped = server.stopService()
        self.assertIn("stopping: 1 connections", [formatEvent(event) for event in events])
        client.close()
        self.wait(stopped)

    def test_serviceFails(self) -> None:
        """
        So it does for C{--service}.
        """
        port = self.taken[True]
        logged = self.refusal(f"--service=echo={port}")
        self.assertEqual(logged, f"sockservices: --service echo={port}: tcp:127.0.0.1:{port}: Address already in use")

    def test_liveUnixSocket(self) -> None:
        """
        A Unix socket with another server is not taken over (T24).
        """
        path = self.folder / "socket"
        self.keep(openSockets(UnixBinding(UNIX, str(path)))[0])
        self.assertIn(f"unix:{path}: Address already in use", self.refusal(f"--listen=echo=unix:{path}"))

    def test_staleUnixSocket(self) -> None:
        """
        A Unix socket without a server is replaced (T24).
        """
        path = str(self.folder / "socket")
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(path)
        self.make(f"--listen=echo=unix:{path}").startService()
        client = self.connect(path)
        client.send(b"words")
        self.assertEqual(self.hear(client, 5), b"words")

    def test_bothFamilies(self) -> None:
        """
        C{::} and C{0.0.0.0} can be bound together to one port (T24).
        """
        with socket.socket() as free:
            free.bind(("0.0.0.0", 0))
            port = free.getsockname()[1]
        server = self.make("--proto=all", f"--service=echo={port}", "--interface=::", "--interface=0.0.0.0")
        server.startService()
        for host in ("127.0.0.1", "::1"):
            client = self.connect((host, port))
            client.send(b"words")
            self.assertEqual(self.hear(client, 5), b"words")

    def test_socketsAreOpenBeforeTheStart(self) -> None:
        """
        Sockets are bound before the start. A client that connects early is served.
        """
        path = str(self.folder / "socket")
        server = self.make(f"--listen=echo=unix:{path}")
        client = self.connect(path)
        client.send(b"words")
        server.privilegedStartService()
        server.startService()
        self.assertEqual(self.hear(client, 5), b"words")

    def test_everyServiceOnEveryTransport(self) -> None:
        """
        Every service starts on every transport, logs its address, and leaves nothing after the stop.
        """
        before = descriptors()
        server = self.make("--proto=all", "--service=all=0", f"--listen=echo=unix:{self.folder}/socket")
        with capturedLogs() as events:
            server.startService()
        logged = [formatEvent(event) for event in events]
        self.assertEqual(len(logged), 25)
        self.assertEqual(len(set(self.hosts(server))), 25)
        for line in logged:
            self.assertRegex(line, r"^\w+ listening on ((tcp|udp):127\.0\.0\.1:[1-9]\d*|unix:/\S+)$")
        self.wait(server.stopService())
        self.assertEqual((descriptors(), list(self.folder.iterdir())), (before, []))
        self.assertQuiet()

    def test_plain(self) -> None:
        """
        With C{--plain} the reactor watches each connection itself: it has one of Twisted's own transports.
        """
        for arguments, expected in (((), False), (("--plain",), True)):
            server = self.make("--service=echo=0", *arguments)
            server.startService()
            client = self.connect(self.hosts(server)[0])
            client.send(b"words")
            self.assertEqual(self.hear(client, 5), b"words")
            self.assertEqual(any(isinstance(reader, Server) for reader in self.reactor.getReaders()), expected)
            client.close()
            self.wait(server.stopService())

    def test_stop(self) -> None:
        """
        A stop ends the conversations of all listeners.
        """
        server = self.make("--service=echo=0", "--service=upper=0")
        server.startService()
        clients = [self.connect(host) for host in self.hosts(server)]
        for client in clients:
            client.send(b"WORDS")
            self.assertEqual(self.hear(client, 5), b"WORDS")
        stopped = server.stopService()
        for client in clients:
            self.assertEqual(self.hear(client), b"")
            client.close()
        self.wait(stopped)
        self.assertQuiet()

    def test_cutResetsAll(self) -> None:
        """
        C{abortAll} resets all connections.
        """
        server = self.make("--service=echo=0")
        server.startService()
        client = self.connect(self.hosts(server)[0])
        client.send(b"words")
        self.assertEqual(self.hear(client, 5), b"words")
        server.abortAll()
        self.assertRaises(ConnectionResetError, self.hear, client)


#: Opens the sockets of a server, and exits.
NEVER_STARTED = """
import sys
from sockservices.tap import Options, makeService
options = Options()
options.parseOptions(["--listen", f"echo=unix:{sys.argv[1]}"])
makeService(options)
"""


def test_neverStarted(tmp_path: Path) -> None:
    """
    A process that exits before it serves leaves no file of a Unix socket.
    """
    path = tmp_path / "socket"
    subprocess.run([sys.executable, "-c", NEVER_STARTED, str(path)], env=environment(), check=True, timeout=20)
    assert not path.exists()


#: Becomes twistd, to which it passes the sockets that it is sent, as a service manager does.
MANAGER = """
import os, socket, sys
path, names, *command = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as channel:
    channel.connect(path)
    _, passed, _, _ = socket.recv_fds(channel, 1, 100)
for number in passed:
    os.dup2(number, number + 100)
for target, number in enumerate(passed, 3):
    os.dup2(number + 100, target)
os.closerange(3 + len(passed), 300)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(passed)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


def startWithSockets(passed: list[socket.socket], names: str, folder: Path, *arguments: str) -> Twistd:
    """
    Start a server that adopts these sockets.
    """
    with socket.socket(socket.AF_UNIX) as channel:
        channel.bind(str(folder / "channel"))
        channel.listen()
        command = (sys.executable, "-c", MANAGER, str(folder / "channel"), names, *COMMAND)
        twistd = Twistd(*arguments, command=command)
        connection, _ = channel.accept()
        with connection:
            socket.send_fds(connection, [b"."], [each.fileno() for each in passed])
    (folder / "channel").unlink()
    return twistd


def echoOf(kind: int, address: Any) -> bytes:
    """
    Send a message to an echo service and return the reply.
    """
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, kind) as client:
        client.settimeout(10)
        client.connect(address)
        client.send(b"words")
        return client.recv(10)


def test_adoptedSockets(tmp_path: Path) -> None:
    """
    Adopted sockets of every kind are served, several with one name together. They are unchanged after the stop, and the
    next server serves connections that arrived in between (T28).
    """
    path = tmp_path / "socket"
    listen = ("--listen=echo=systemd:words", "--listen=echo=systemd:gram", "--listen=echo=systemd:local")
    with ExitStack() as stack:
        first, second = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(path))
        unix.listen()
        path.chmod(0o640)
        before = path.stat()
        passed = [first, second, udp, unix]
        with startWithSockets(passed, "words:words:gram:local", tmp_path, *listen) as twistd:
            assert sorted(twistd.listeners) == [("echo", "tcp"), ("echo", "udp"), ("echo", "unix")]
            assert [echoOf(each.type, each.getsockname()) for each in passed] == [b"words"] * 4
        after = path.stat()
        assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)
        early = stack.enter_context(socket.socket(socket.AF_UNIX))
        early.settimeout(10)
        early.connect(str(path))
        early.send(b"early")
        with startWithSockets(passed, "words:words:gram:local", tmp_path, *listen):
            assert early.recv(10) == b"early"
            assert [echoOf(each.type, each.getsockname()) for each in passed] == [b"words"] * 4

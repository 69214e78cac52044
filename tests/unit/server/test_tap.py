"""
The server that the options configure.
"""

from __future__ import annotations

import os
import resource
import socket
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

    def converse(self, *segments: bytes) -> list[str]:
        """
        Connect to the first listener, send segments, and disconnect.

        @return: the log lines.
        """
        with capturedLogs() as events:
            protocol: Any = self.reactor.tcpServers[0][1].buildProtocol(PEER)
            protocol.makeConnection(StringTransport(peerAddress=PEER))
            for segment in segments:
                protocol.dataReceived(segment)
            protocol.connectionLost(Failure(ConnectionDone()))
        return [str(formatEvent(event)) for event in events]

    def linesWhenRunning(self) -> list[str | None]:
        """
        Run the reactor.

        @return: the log lines.
        """
        with capturedLogs() as events:
            self.reactor.run()
        return [formatEvent(event) for event in events]

    def test_defaultListeners(self) -> None:
        """
        Without options echo, upper and welcome listen on their TCP ports of 127.0.0.1 from the start on. The number of
        listeners is logged when the reactor runs.
        """
        server = makeService(parsed(), self.reactor)
        self.assertEqual((self.reactor.tcpServers, self.reactor.getDelayedCalls()), ([], []))
        server.startService()
        listening = [(each[1].responder.name, each[0], each[3]) for each in self.reactor.tcpServers]  # type: ignore[attr-defined]
        ports = {"echo": 8007, "upper": 8080, "welcome": 8001}
        self.assertEqual(listening, [(name, port, "127.0.0.1") for name, port in ports.items()])
        self.assertEqual((self.reactor.udpServers, self.reactor.unixServers), ([], []))
        self.assertIn("ready: 3 listeners", self.linesWhenRunning())

    def test_sharedPolicyAndCensus(self) -> None:
        """
        All listeners share one policy, one census and the reactor's clock.
        """
        self.start("--proto=all", "--service=echo", "--service=time", "--idle-timeout=7")
        served: list[Any] = [each[1] for each in (*self.reactor.tcpServers, *self.reactor.udpServers)]
        self.assertEqual([type(each) for each in served], [StreamFactory] * 2 + [DatagramResponder] * 2)
        self.assertEqual({each.policy for each in served}, {served[0].policy})
        self.assertEqual(served[0].policy.idleTimeout, 7.0)
        self.assertEqual(
            {(id(each.census), id(each.clock)) for each in served}, {(id(served[0].census), id(self.reactor))}
        )

    def test_conversationIsLogged(self) -> None:
        """
        Each conversation has one line in the log. With C{--show} its connection and messages have one each, too.
        """
        line = "echo tcp 192.0.2.7:40000 done: 0.000 s, 6 bytes received, 6 sent"
        for options, lines in (
            ([], [line]),
            (["--show"], ["echo: connected: 192.0.2.7:40000", "echo: 192.0.2.7:40000: b'hello\\n'", line]),
        ):
            self.reactor.tcpServers.clear()
            self.start("--service=echo", *options)
            self.assertEqual(self.converse(b"hello\n"), lines)

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
        self.start("--service=echo", "--max-rate=0")
        for _ in range(100):
            self.assertEqual(len(self.converse()), 1)
        self.assertNotIn("echo tcp", "".join(self.converse()))
        self.reactor.advance(1)
        self.assertIn("echo tcp", "".join(self.converse()))

    def test_connectionsAreCappedToDescriptors(self) -> None:
        """
        The limit of connections is at most the descriptor limit minus 64.
        """

        def config(connections: int) -> ServerConfig:
            policy = Policy(maxConnections=connections)
            return ServerConfig(listeners=(ListenerConfig(service=Echo, binding="tcp:7", policy=policy),))

        for files, connections, expected in [(200, 1000, 136), (200, 0, 136), (200, 100, 100), (64, 5, 1), (9, 0, 1)]:
            (listener,) = config(connections).capToDescriptorLimit(files).listeners
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
        warning = f"--max-connections 1000000000: {files - 64} are possible with {files} open files"
        self.assertIn(warning, self.linesWhenRunning())
        served: Any = self.reactor.tcpServers.pop()[1]
        self.assertEqual(served.policy.maxConnections, files - 64)


class StartTests(LoopCase):
    """
    A start succeeds, or it fails and leaves no socket or file.
    """

    def makeServer(self, *arguments: str) -> Supervisor:
        """
        Make a server that is stopped after the test.
        """
        server = makeService(parsed(*arguments), self.reactor)
        self.addCleanup(self.stop, server)
        return server

    def stop(self, server: Supervisor) -> None:
        """
        Stop a server, if it runs.
        """
        if server.running:
            self.wait(server.stopService())

    def hosts(self, server: Supervisor) -> list[Any]:
        """
        The addresses of a server.
        """
        listeners: list[Any] = list(server)
        return [listener.port.getHost() for listener in listeners]

    def echoed(self, address: Any) -> socket.socket:
        """
        Connect a client, and check that it gets its echo.
        """
        client = self.connect(address)
        client.send(b"HELLO")
        self.assertEqual(self.receive(client, 5), b"HELLO")
        return client

    def errorOf(self, *arguments: str) -> str:
        """
        Make a server that fails, and check that no descriptor, file or listener remains.

        @return: the error line.
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
        address and the cause. An endpoint of Twisted's that would listen on every interface fails.
        """
        bound = [
            self.closeLater(openSockets(InetBinding(transport, 0))[0]).socket
            for transport in (Transport.TCP, Transport.UDP)
        ]
        tcp, udp = (each.getsockname()[1] for each in bound)
        live, path = self.folder / "live", self.folder / "socket"
        self.closeLater(openSockets(UnixBinding(Transport.UNIX, str(live)))[0])
        # Twisted keeps a descriptor in reserve from its first port on.
        self.wait(self.makeServer("--listen=echo=tcp6:0:interface=\\:\\:1").stopService())
        first = ["tcp:0", "udp:0", f"unix:{path}", f"unixgram:{path}", "unix:@sockservices-tests"]
        first.append("haproxy:tcp:0:interface=127.0.0.1")
        second = [
            (f"tcp:{tcp}", f"tcp:127.0.0.1:{tcp}: Address already in use"),
            (f"udp:{udp}", f"udp:127.0.0.1:{udp}: Address already in use"),
            (f"unix:{path}/socket", f"unix:{path}/socket: No.*director"),
            (f"unix:{live}", f"unix:{live}: Address already in use"),
            ("tcp:0:interface=192.0.2.1", "tcp:192.0.2.1:0: Cannot assign requested address"),
            (f"haproxy:tcp:{tcp}", "Address already in use"),
            ("nonsense:7", "nonsense"),
            ("systemd:echo", "systemd:echo: .*none at all"),
            ("haproxy:tcp6:0", "every interface"),
            ("tcp6:0", "every interface"),
        ]
        # A listener is closed in the same way for any failure of the other: each value occurs at least once.
        for number, (failing, cause) in enumerate(second):
            error = self.errorOf(f"--listen=echo={first[number % len(first)]}", f"--listen=time={failing}")
            self.assertRegex(error, f"^sockservices: --listen time={failing}: .*{cause}")
        error = f"sockservices: --service echo={tcp}: tcp:127.0.0.1:{tcp}: Address already in use"
        self.assertEqual(self.errorOf(f"--service=echo={tcp}"), error)

    def test_inheritedPlain(self) -> None:
        """
        With C{--plain}, the connections of inherited sockets are in no poll group, either.
        """
        for plain in (True, False):
            with socket.create_server(("127.0.0.1", 0)) as inherited:
                inherited.set_inheritable(True)
                names = ":" * (inherited.fileno() - 3) + "echo"
                count = str(inherited.fileno() - 2)
                variables = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count, "LISTEN_FDNAMES": names}
                self.patch(os, "environ", os.environ | variables)
                server = self.makeServer("--listen=echo=systemd:echo", *["--plain"] * plain)
                inherited.detach()
            server.startService()
            listeners: list[Any] = list(server)
            self.assertEqual(listeners[0].port.group is None, plain)
            self.wait(server.stopService())

    def test_staleUnixSocket(self) -> None:
        """
        A Unix socket without a server is replaced.
        """
        path = str(self.folder / "socket")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        self.makeServer(f"--listen=echo=unix:{path}").startService()
        self.echoed(path)

    def test_bothFamilies(self) -> None:
        """
        C{::} and C{0.0.0.0} can be bound together to one port.
        """
        with socket.socket() as free:
            free.bind(("0.0.0.0", 0))
            port = free.getsockname()[1]
        self.makeServer("--proto=all", f"--service=echo={port}", "--interface=::", "--interface=0.0.0.0").startService()
        for host in ("127.0.0.1", "::1"):
            self.echoed((host, port))

    def test_everyServiceOnEveryTransport(self) -> None:
        """
        Every service starts on every transport, logs its address, and leaves nothing after the stop.
        """
        before = descriptors()
        server = self.makeServer("--proto=all", "--service=all=0", f"--listen=echo=unix:{self.folder}/socket")
        with capturedLogs() as events:
            server.startService()
        lines = [formatEvent(event) for event in events]
        self.assertEqual((len(lines), len(set(self.hosts(server)))), (25, 25))
        for line in lines:
            self.assertRegex(line, r"^\w+ listening on ((tcp|udp):127\.0\.0\.1:[1-9]\d*|unix:/\S+)$")
        self.wait(server.stopService())
        self.assertEqual((descriptors(), list(self.folder.iterdir())), (before, []))
        self.assertQuiet()

    def test_plain(self) -> None:
        """
        With C{--plain} the reactor watches each connection itself: it has one of Twisted's own transports.
        """
        for options, expected in (([], False), (["--plain"], True)):
            server = self.makeServer("--service=echo=0", *options)
            server.startService()
            client = self.echoed(self.hosts(server)[0])
            self.assertEqual(any(isinstance(reader, Server) for reader in self.reactor.getReaders()), expected)
            client.close()
            self.wait(server.stopService())

    def test_stop(self) -> None:
        """
        A stop ends the conversations of all listeners. The log counts them, with the connections that have waited to be
        accepted until the stop.
        """
        server = self.makeServer("--service=echo=0", "--service=upper=0")
        server.startService()
        clients = [self.echoed(host) for host in self.hosts(server)]
        clients.append(self.connect(self.hosts(server)[0]))
        with capturedLogs() as events:
            stopped = server.stopService()
        self.assertIn("stopping: 3 connections", [formatEvent(event) for event in events])
        for client in clients:
            self.assertEqual(self.receive(client), b"")
            client.close()
        self.wait(stopped)
        self.assertQuiet()

    def test_abortAll(self) -> None:
        """
        C{abortAll} resets the connections of all listeners.
        """
        server = self.makeServer("--service=echo=0", "--service=upper=0")
        server.startService()
        clients = [self.echoed(host) for host in self.hosts(server)]
        server.abortAll()
        for client in clients:
            self.assertRaises(ConnectionResetError, self.receive, client)

"""
Tests for L{sockservices.testing.fixture}.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Outcome, Policy, Responder
from sockservices.registry import names
from sockservices.responders import Upper
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.fixture import Servers
from tests.support.loop import TIMEOUT

LIMIT_NAMES = "expected one of timeout, maxConnections, "

#: Wrong arguments, and the beginning of the error message.
WRONG: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    (("ehco",), {}, "no service 'ehco': expected one of chargen, daytime, discard, echo, "),
    ((7,), {}, "7: expected the name of a service, a Responder class, or a callable that returns a Responder"),
    (("echo", "sctp"), {}, "no transport 'sctp': expected tcp, udp, unix or unixgram"),
    (("echo",), {"idle": 1}, f"no limit 'idle': {LIMIT_NAMES}"),
    (("echo",), {"drain": 1}, f"no limit 'drain': {LIMIT_NAMES}"),
    (("echo",), {"timeout": -1}, "timeout=-1: expected a number from 0 to 1000000000"),
    (("echo",), {"interface": "lo"}, "interface 'lo': expected an IP address, such as 127.0.0.1"),
    (("echo", "unix"), {"interface": "::1"}, "interface '::1': expected none with unix, which has no interfaces"),
]


class Failing(Responder):
    """
    Raises ValueError.
    """

    name = "failing"
    port = 0

    def answer(self, message: bytes) -> bytes:
        """
        Raise ValueError.
        """
        raise ValueError("not this one")


def upper(conversation: Conversation) -> Responder:
    """
    Return a responder.
    """
    return Upper(conversation)


def exchange(address: Any, request: bytes = b"hello") -> bytes:
    """
    Send a request and a FIN over TCP, and return the whole reply.
    """
    with socket.create_connection(address, TIMEOUT) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as reply:
            return reply.read()


class ServersTests(SynchronousTestCase):
    """
    Tests for the value of the pytest fixture.
    """

    def setUp(self) -> None:
        """
        Make the value as the fixture does. It waits longer for the log, so that no test depends on a machine's load.
        """
        self.background = BackgroundReactor()
        self.addCleanup(self.background.stop)
        self.sockservice = Servers(self.background, logTimeout=TIMEOUT)
        self.addCleanup(self.sockservice.close)

    def test_kindsOfService(self) -> None:
        """
        The service is a name, a class, or a callable that returns a responder. Each service can be started on each
        transport.
        """
        for service, name in (("upper", "upper"), (Upper, "upper"), (upper, "upper")):
            server = self.sockservice(service)
            self.assertEqual(exchange(server.address), b"HELLO")
            self.assertRegex(repr(server), f"^<{name} on tcp:")
        for name in names():
            for transport in ("tcp", "udp", "unix", "unixgram"):
                self.assertRegex(repr(self.sockservice(name, transport)), f"^<{name} on {transport}:")

    def test_serversAreIndependent(self) -> None:
        """
        Each server of a test has its own visits and limits.
        """
        servers = [self.sockservice("echo", maxConnections=1) for _ in range(2)]
        for server in servers:
            exchange(server.address)
            server.wait(1)
        self.assertEqual([len(server.visits) for server in servers], [1, 1])

    def test_arguments(self) -> None:
        """
        Each field of L{Policy} except C{drain} is a keyword argument. A wrong argument raises ValueError, with one line
        that names the value and the valid ones.
        """
        for name in set(vars(Policy())) - {"drain"}:
            limit: dict[str, Any] = {name: 1}
            self.sockservice("echo", **limit)
        for arguments, limits, message in WRONG:
            with self.assertRaises(ValueError) as raised:
                self.sockservice(*arguments, **limits)
            self.assertEqual(str(raised.exception)[: len(message)], message)
            self.assertNotIn("\n", str(raised.exception))

    def test_log(self) -> None:
        """
        The log has the address of each server, a line for each conversation, and the exceptions of responders.
        """
        echo, failing = self.sockservice("echo"), self.sockservice(Failing)
        self.assertEqual(exchange(echo.address), b"hello")
        echo.wait(1)
        # ECONNRESET, or ENOTCONN if the reset comes before shutdown().
        with self.assertRaises(OSError):
            exchange(failing.address)
        failing.wait(1)
        self.assertEqual(failing.visits[0].outcome, Outcome.ERROR)
        log = self.sockservice.log()
        self.assertIn(f"echo listening on tcp:127.0.0.1:{echo.address[1]}\n", log)
        self.assertRegex(log, r"echo tcp 127\.0\.0\.1:\d+ done: 0\.\d+ s, 5 bytes received, 5 sent\n")
        self.assertIn("failing raised ValueError('not this one') at ", log)

    def test_logCountsRefusals(self) -> None:
        """
        The log has the summary of refused connections, before it is due.
        """
        # On a Unix socket, because a test in another process could connect to the wrong TCP port.
        server = self.sockservice("echo", "unix", maxConnections=1)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(server.address)
            for _ in range(3):
                with socket.socket(socket.AF_UNIX) as refused:
                    refused.connect(server.address)
            server.wait(3)
            refusals = [line.rpartition(": ")[2] for line in self.sockservice.log().splitlines() if "refused" in line]
        # The first refusal has its own summary, because none was logged in the 10 seconds before.
        self.assertEqual(refusals, ["1 refused", "2 refused"])

    def test_logOfOtherCode(self) -> None:
        """
        The log has no lines of other threads, and none of Twisted. A long log is cut to its last 200 lines.
        """
        self.sockservice("echo")
        Logger("sockservices").info("by a server in another thread")
        self.background.call(Logger("twisted").info, "by Twisted")
        self.assertRegex(self.sockservice.log(), r"^echo listening on \S+$")
        for number in range(1000):
            self.background.call(Logger("sockservices.of.a.module").info, f"line {number}")
        lines = self.sockservice.log().splitlines()
        self.assertEqual((len(lines), lines[-1]), (200, "line 999"))

    def test_logWhileResponderBlocks(self) -> None:
        """
        While a responder blocks the servers' thread, the log is available. Its last line warns that it is incomplete.
        """
        release = threading.Event()
        self.addCleanup(release.set)
        sockservice = Servers(self.background, logTimeout=0.01)
        self.addCleanup(sockservice.close)
        sockservice("echo")
        self.background.reactor.callFromThread(release.wait)
        first, last = sockservice.log().splitlines()
        self.assertIn("echo listening", first)
        self.assertEqual(last, "the log is incomplete: the reactor's thread had no result in 0.01 s")
        release.set()

    def test_logObserver(self) -> None:
        """
        All servers of a test have one observer in the global log. C{close} removes it. Without a server no reactor
        starts.
        """
        before = list(globalLogPublisher._observers)
        sockservice = Servers(self.background)
        self.assertIsNone(self.background.reactor)
        sockservice("echo")
        sockservice("upper")
        self.assertEqual(len(globalLogPublisher._observers), len(before) + 1)
        sockservice.close()
        self.assertEqual(globalLogPublisher._observers, before)

    def test_close(self) -> None:
        """
        C{close} closes all servers, and does not wait for pending replies. The log is still available.
        """
        received = threading.Event()

        class Pending(Responder):
            def answer(self, message: bytes) -> Any:
                received.set()
                return Deferred()

        servers = [self.sockservice(Pending), self.sockservice("upper")]
        with socket.create_connection(servers[0].address, TIMEOUT) as client:
            client.sendall(b"hello")
            received.wait(TIMEOUT)
            self.sockservice.close()
        self.assertEqual([visit.outcome for visit in servers[0].visits], [Outcome.DRAINED])
        for server in servers:
            with self.assertRaises(ConnectionRefusedError):
                exchange(server.address)
        self.assertIn("upper listening", self.sockservice.log())
        self.background.stop()
        self.assertIn("upper listening", self.sockservice.log())
        self.assertIsNone(self.background.reactor, "started again")

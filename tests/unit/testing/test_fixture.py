"""
Tests for L{sockservices.testing.fixture}.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

from twisted.logger import Logger, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Outcome, Policy, Responder
from sockservices.registry import names
from sockservices.responders import Upper
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.fixture import Servers
from tests.support.loop import PATIENCE


class Broken(Responder):
    """
    Raises.
    """

    name = "broken"
    port = 0

    def answer(self, message: bytes) -> bytes:
        """
        Raise.
        """
        raise ValueError("not this one")


def talk(address: Any, words: bytes = b"hello") -> bytes:
    """
    Say something over TCP, and hear all of the answer.
    """
    with socket.create_connection(address, PATIENCE) as client:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)
        heard = b""
        while segment := client.recv(1000):
            heard += segment
        return heard


class ServersTests(SynchronousTestCase):
    """
    Tests for the servers of a test.
    """

    def setUp(self) -> None:
        """
        What the fixture gives to a test.
        """
        self.background = BackgroundReactor()
        self.addCleanup(self.background.stop)
        self.sockservice = Servers(self.background)
        self.addCleanup(self.sockservice.close)

    def test_services(self) -> None:
        """
        A service is named, or is given as a class, or as anything that makes a responder.
        """

        def upper(conversation: Conversation) -> Responder:
            return Upper(conversation)

        for service, name in (("upper", "upper"), (Upper, "upper"), (upper, "-")):
            server = self.sockservice(service)
            self.assertEqual(talk(server.address), b"HELLO")
            self.assertRegex(repr(server), f"^<{name} on tcp:")

    def test_everyService(self) -> None:
        """
        Every service is served on every transport.
        """
        for name in names():
            for transport in ("tcp", "udp", "unix", "unixgram"):
                self.assertRegex(repr(self.sockservice(name, transport)), f"^<{name} on {transport}:")

    def test_serversAreApart(self) -> None:
        """
        A test may have several, each with visits and limits of its own.
        """
        one, other = self.sockservice("echo", maxConnections=1), self.sockservice("echo", maxConnections=1)
        for server in (one, other):
            talk(server.address)
            server.wait(1)
        self.assertEqual([len(one.visits), len(other.visits)], [1, 1])

    def test_everyLimit(self) -> None:
        """
        Every number of a L{Policy} is a limit by its own name, but that of draining.
        """
        for name in set(vars(Policy())) - {"drain"}:
            limit: dict[str, Any] = {name: 1}
            self.sockservice("echo", **limit)

    def test_oneLine(self) -> None:
        """
        What makes no sense is told in one line, with what would be right.
        """
        ask: Any = self.sockservice
        for call, said in (
            (lambda: ask("ehco"), "no service 'ehco'; there are chargen, daytime, discard, echo, "),
            (lambda: ask(7), "7: expected the name of a service, a Responder class, or what makes one"),
            (lambda: ask("echo", "sctp"), "no transport 'sctp'; there are tcp, udp, unix, unixgram"),
            (lambda: ask("echo", "tcp", idle=1), "no limit 'idle'; there are timeout, maxConnections, "),
            (lambda: ask("echo", "tcp", drain=1), "no limit 'drain'; there are timeout, maxConnections, "),
            (lambda: ask("echo", "tcp", timeout=-1), "timeout=-1: expected a number from 0 to 1000000000"),
            (lambda: ask("echo", "tcp", interface="lo"), "interface 'lo': expected an IP address, such as 127.0.0.1"),
        ):
            with self.assertRaises(ValueError) as raised:
                call()
            self.assertTrue(str(raised.exception).startswith(said), str(raised.exception))
            self.assertNotIn("\n", str(raised.exception))

    def test_log(self) -> None:
        """
        The log has what the servers said: where they listen, how each conversation ended, and what went wrong; refusals
        as well, which are summed up elsewhere.
        """
        echo, broken = self.sockservice("echo", maxConnections=1), self.sockservice(Broken)
        self.assertEqual(talk(echo.address), b"hello")
        echo.wait(1)
        with self.assertRaises(ConnectionResetError):
            talk(broken.address)
        broken.wait(1)
        self.assertEqual(broken.visits[0].outcome, Outcome.ERROR)
        with socket.create_connection(echo.address, PATIENCE) as first:
            first.sendall(b"1")
            first.recv(1)
            for _ in range(2):
                socket.create_connection(echo.address, PATIENCE).close()
            echo.wait(3)
        # The log is asked for what is still to be summed up, but not waited for: first let the thread be idle.
        self.background.call(int)
        log = self.sockservice.log()
        self.assertIn(f"echo listening on tcp:127.0.0.1:{echo.address[1]}\n", log)
        self.assertRegex(log, r"echo tcp 127\.0\.0\.1:\d+ done: 0\.\d+ s, 5 bytes received, 5 sent\n")
        self.assertIn("broken raised ValueError('not this one') at ", log)
        self.assertEqual(log.count("1 refused"), 2)

    def test_logOfOthers(self) -> None:
        """
        The log is that of the servers: not what others log in their threads, nor what Twisted itself logs in ours. Of a
        long one there is the end.
        """
        self.sockservice("echo")
        Logger("sockservices").info("by another server, in another thread")
        self.background.call(Logger("twisted").info, "by Twisted")
        self.assertRegex(self.sockservice.log(), r"^echo listening on \S+$")
        for number in range(1000):
            self.background.call(Logger("sockservices.of.a.module").info, f"line {number}")
        lines = self.sockservice.log().splitlines()
        self.assertEqual((len(lines), lines[-1]), (200, "line 999"))

    def test_logWhileBusy(self) -> None:
        """
        A responder that blocks its thread does not keep back the log.
        """
        release = threading.Event()
        self.addCleanup(release.set)
        self.sockservice("echo")
        self.background.reactor.callFromThread(release.wait)
        self.assertIn("echo listening", self.sockservice.log())
        release.set()

    def test_observesWhileThereAreServers(self) -> None:
        """
        The global log has one observer more while there are servers, and none after them.
        """
        before = list(globalLogPublisher._observers)
        self.sockservice("echo")
        self.sockservice("upper")
        self.assertEqual(len(globalLogPublisher._observers), len(before) + 1)
        self.sockservice.close()
        self.assertEqual(globalLogPublisher._observers, before)

    def test_close(self) -> None:
        """
        All of them are closed, and a log can still be asked for.
        """
        servers = [self.sockservice("echo"), self.sockservice("upper")]
        self.sockservice.close()
        for server in servers:
            with self.assertRaises(ConnectionRefusedError):
                talk(server.address)
        self.assertIn("upper listening", self.sockservice.log())
        self.background.stop()
        self.assertIn("upper listening", self.sockservice.log())
        self.assertIsNone(self.background.reactor, "started again")

    def test_startsNothingUnasked(self) -> None:
        """
        A test that asks for no server starts no reactor.
        """
        self.sockservice.close()
        self.assertIsNone(self.background.reactor)

"""
Mismatches of coroutines, raised in the test that uses the pytest fixture.
"""

from __future__ import annotations

import socket
import traceback
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, RemotePeer
from sockservices.scripting import Mismatch
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.fixture import Servers
from tests.support.loop import TIMEOUT

#: What is shown of a client that says EHLO.
SHOWN = """\
different from byte 0 on
    expected: b'HELO me\\r\\n'
    received: b'EHLO me\\r\\n'"""


async def expectsHelo(peer: RemotePeer) -> None:
    """
    Expect a greeting.
    """
    await peer.expect(b"HELO me\r\n")
    await peer.send(b"250 hello\r\n")


async def asserts(peer: RemotePeer) -> None:
    """
    Make an assertion of what is received.
    """
    line = await peer.receiveLine()
    assert line.startswith(b"HELO"), f"{line!r} is no greeting"


class CheckTests(SynchronousTestCase):
    """
    C{server.check()}, C{server.wait()}, and the teardown.
    """

    def setUp(self) -> None:
        """
        Make the value of the fixture.
        """
        background = BackgroundReactor()
        self.addCleanup(background.stop)
        self.sockservice = Servers(background, logTimeout=TIMEOUT)
        self.addCleanup(self.sockservice.close)

    def send(self, server: Any, request: bytes) -> socket.socket:
        """
        Connect and send a request.
        """
        client = socket.create_connection(server.address, TIMEOUT)
        self.addCleanup(client.close)
        client.sendall(request)
        return client

    def test_check(self) -> None:
        """
        C{check} raises the mismatch of a conversation, though the client has read nothing. Then it has been raised.
        """
        server = self.sockservice(expectsHelo)
        client = self.send(server, b"EHLO me\r\n")
        with self.assertRaises(Mismatch) as raised:
            server.check()
        self.assertEqual(str(raised.exception), SHOWN)
        self.assertEqual(traceback.extract_tb(raised.exception.__traceback__)[-1].name, "expectsHelo")
        self.assertRaises(ConnectionResetError, client.recv, 1)
        (visit,) = server.visits
        self.assertEqual((visit.outcome, visit.mismatch), (Outcome.MISMATCH, raised.exception))
        self.assertIn(
            r"mismatch: expected b'HELO me\r\n', received b'EHLO me\r\n': different from byte 0 on; conversation 1",
            self.sockservice.log(),
        )
        server.check()
        self.sockservice.close()

    def test_asExpected(self) -> None:
        """
        Nothing is raised for a client that sends what is expected.
        """
        server = self.sockservice(expectsHelo)
        client = self.send(server, b"HELO me\r\n")
        self.assertEqual(client.recv(100), b"250 hello\r\n")
        server.check()
        client.close()
        server.wait(1)
        self.assertEqual(server.visits[0].outcome, Outcome.FINISHED)

    def test_wait(self) -> None:
        """
        C{wait} raises the mismatch at once, however many conversations it waits for.
        """
        server = self.sockservice(expectsHelo)
        self.send(server, b"EHLO me\r\n")
        with self.assertRaises(Mismatch):
            server.wait(2, timeout=TIMEOUT)

    def test_teardown(self) -> None:
        """
        The teardown closes all servers, and raises a mismatch that was not raised before.
        """
        server, other = self.sockservice(expectsHelo), self.sockservice("echo")
        self.send(server, b"EHLO me\r\n")
        with self.assertRaises(Mismatch):
            self.sockservice.close()
        for closed in (server, other):
            with self.assertRaises(ConnectionRefusedError):
                self.send(closed, b"")

    def test_assertion(self) -> None:
        """
        A failed C{assert} in the coroutine is raised with the line of the coroutine. A note counts the others.
        """
        server = self.sockservice(asserts)
        for _ in range(2):
            with self.assertRaises(ConnectionResetError):
                self.send(server, b"EHLO\r\n").recv(1)
        with self.assertRaises(AssertionError) as raised:
            server.check()
        # pytest adds lines to the message.
        self.assertEqual(str(raised.exception).partition("\n")[0], "b'EHLO' is no greeting")
        last = traceback.extract_tb(raised.exception.__traceback__)[-1]
        self.assertEqual((last.name, (last.line or "").partition("(")[0]), ("asserts", "assert line.startswith"))
        self.assertEqual(raised.exception.__notes__, ["1 more conversations ended with a mismatch"])

    def test_datagrams(self) -> None:
        """
        A datagram that is not as expected gets no reply, and its mismatch is raised.
        """
        server = self.sockservice(expectsHelo, "udp")
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.connect(server.address)
            client.send(b"EHLO me\r\n")
            with self.assertRaises(Mismatch):
                server.wait(1)
        self.assertIs(server.visits[0].outcome, Outcome.MISMATCH)

"""
The names of Twisted's own that the transports use although Twisted does not document them.
"""

from __future__ import annotations

import ast
import socket
from pathlib import Path
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

import sockservices.transports

#: All of them. docs/speed.md names each, and says what it is used for.
PRIVATE_NAMES = {
    *("_aborting", "_closeWriteConnection", "_getLogPrefix", "_sendmsgQueue", "_shouldShutdown", "_tempDataLen"),
    *("_writeDisconnected", "_writeDisconnecting"),
}

#: Undocumented, but without an underscore.
UNDOCUMENTED = {"dataBuffer", "offset", "producerPaused"}


def usedNames() -> set[str]:
    """
    The private attributes of C{self} or C{transport} that the transports use.
    """
    used = set()
    for file in Path(sockservices.transports.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "transport"):
                used.add(node.attr)
    return used


def connection() -> Any:
    """
    A Unix-stream connection of Twisted's, which has what a TCP connection has, and more.
    """
    near, far = socket.socketpair()
    far.close()
    port: Any = None
    return unix.Server(near, Protocol(), None, port, 1, MemoryReactorClock())


class PrivateNamesTests(SynchronousTestCase):
    """
    Tests for what Twisted may change without notice.
    """

    def setUp(self) -> None:
        """
        Make a connection.
        """
        self.connection = connection()
        self.addCleanup(self.connection.socket.close)

    def test_used(self) -> None:
        """
        The transports use these private names of Twisted's and no others; the document names them.
        """
        twisted = {name for name in dir(self.connection) if name.startswith("_") and not name.startswith("__")}
        self.assertEqual(usedNames() & twisted, PRIVATE_NAMES)
        speed = (Path(__file__).parents[3] / "docs" / "speed.md").read_text()
        self.assertEqual({name for name in PRIVATE_NAMES | UNDOCUMENTED if f"`{name}`" not in speed}, set())

    def test_buffer(self) -> None:
        """
        What is buffered is in C{dataBuffer} from C{offset} on, and in pieces of C{_tempDataLen} bytes in all.
        """
        self.connection.write(b"one")
        self.connection.write(b"three")
        self.assertEqual((self.connection.dataBuffer, self.connection.offset), (b"", 0))
        self.assertEqual(self.connection._tempDataLen, 8)

    def test_states(self) -> None:
        """
        A connection notes that its writing is to end, has ended, and that it is aborted.
        """
        transport = self.connection
        states = (transport._writeDisconnecting, transport._writeDisconnected, transport._aborting)
        self.assertEqual((states, transport._shouldShutdown), ((False, False, False), True))
        transport.loseWriteConnection()
        self.assertTrue(transport._writeDisconnecting)
        transport.abortConnection()
        self.assertTrue(transport._aborting)

    def test_methods(self) -> None:
        """
        These are methods, and what they do is asked of no instance attribute of ours.
        """
        for name in ("_closeWriteConnection", "_getLogPrefix"):
            self.assertTrue(callable(getattr(tcp.Server, name)), name)
        self.assertEqual(self.connection._sendmsgQueue, [])

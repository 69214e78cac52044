"""
Undocumented names of Twisted that the transports use. Twisted may change them without notice.
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

#: All private ones. docs/speed.md names each, and its use.
PRIVATE_NAMES = {
    *("_aborting", "_closeWriteConnection", "_getLogPrefix", "_sendmsgQueue", "_shouldShutdown", "_tempDataLen"),
    *("_writeDisconnected", "_writeDisconnecting"),
}

#: Undocumented, but without an underscore.
UNDOCUMENTED = {"dataBuffer", "offset", "producerPaused"}


class PrivateNamesTests(SynchronousTestCase):
    """
    The names in a Unix-stream connection of Twisted's, which has all that a TCP connection has.
    """

    def setUp(self) -> None:
        """
        Make a connection.
        """
        server, client = socket.socketpair()
        self.addCleanup(server.close)
        client.close()
        port: Any = None
        self.transport: Any = unix.Server(server, Protocol(), None, port, 1, MemoryReactorClock())

    def test_names(self) -> None:
        """
        The transports use these private names of Twisted and no others. docs/speed.md names them.
        """
        used = set()
        for file in Path(sockservices.transports.__path__[0]).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "transport"):
                    used.add(node.attr)
        private = {name for name in dir(self.transport) if name.startswith("_") and not name.startswith("__")}
        self.assertEqual(used & private, PRIVATE_NAMES)
        speed = (Path(__file__).parents[3] / "docs" / "speed.md").read_text()
        self.assertEqual({name for name in PRIVATE_NAMES | UNDOCUMENTED if f"`{name}`" not in speed}, set())

    def test_meanings(self) -> None:
        """
        Buffered data is in C{dataBuffer} from C{offset} on, and in pieces of C{_tempDataLen} bytes in all. Flags record
        that the output is to end, has ended, and that the connection is aborted.
        """
        transport = self.transport
        transport.write(b"one")
        transport.write(b"three")
        self.assertEqual((transport.dataBuffer, transport.offset, transport._tempDataLen), (b"", 0, 8))
        states = (transport._writeDisconnecting, transport._writeDisconnected, transport._aborting)
        self.assertEqual((states, transport._shouldShutdown), ((False, False, False), True))
        transport.loseWriteConnection()
        self.assertTrue(transport._writeDisconnecting)
        transport.abortConnection()
        self.assertTrue(transport._aborting)
        self.assertTrue(callable(tcp.Server._closeWriteConnection) and callable(tcp.Server._getLogPrefix))
        self.assertEqual(transport._sendmsgQueue, [])

"""
Undocumented names of Twisted that the transports use. Twisted may change them without notice.
"""

from __future__ import annotations

import ast
import socket
from pathlib import Path
from typing import Any

from twisted.internet import unix
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
    The names of a Unix-stream connection of Twisted, which has all names of a TCP connection.
    """

    def test_names(self) -> None:
        """
        The transports use these private names of Twisted and no others. docs/speed.md names them.
        """
        server, client = socket.socketpair()
        self.addCleanup(server.close)
        client.close()
        port: Any = None
        transport = unix.Server(server, Protocol(), None, port, 1, MemoryReactorClock())
        used = set()
        for file in Path(sockservices.transports.__path__[0]).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "transport"):
                    used.add(node.attr)
        private = {name for name in dir(transport) if name.startswith("_") and not name.startswith("__")}
        self.assertEqual(used & private, PRIVATE_NAMES)
        speed = (Path(__file__).parents[3] / "docs" / "speed.md").read_text()
        self.assertEqual({name for name in PRIVATE_NAMES | UNDOCUMENTED if f"`{name}`" not in speed}, set())

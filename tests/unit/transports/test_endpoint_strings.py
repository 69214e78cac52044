"""
The fast transports by name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint, IStreamServerEndpointStringParser
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactor
from zope.interface.verify import verifyObject

from sockservices.transports.connection import Connection
from sockservices.transports.endpoint_strings import FastTCP, FastUNIX
from sockservices.transports.sockets import OpenError
from tests.support.loop import LoopCase


class Said(Protocol):
    """
    Keeps what it is told.
    """

    words = b""

    def dataReceived(self, data: bytes) -> None:
        """
        Keep it, and say it again.
        """
        self.words += data
        transport: Any = self.transport
        transport.write(data)


class StringsTests(LoopCase):
    """
    Any server of Twisted's gains by one word.
    """

    def serve(self, words: str) -> Any:
        """
        Listen where the words say.

        @return: the port.
        """
        self.protocols: list[Any] = []

        class Saids(Factory):
            noisy = False

            def buildProtocol(factory, addr: Any) -> Protocol:  # noqa: N805
                self.protocols.append(Said())
                return self.protocols[-1]  # type: ignore[no-any-return]

        port: Any = self.successResultOf(serverFromString(self.reactor, words).listen(Saids()))
        self.addCleanup(port.stopListening)
        return port

    def assertServed(self, port: Any) -> None:
        """
        A peer is served by a fast transport.
        """
        client = self.connect(port.getHost())
        client.sendall(b"words")
        self.assertEqual(self.hear(client, 5), b"words")
        self.assertIsInstance(self.protocols[0].transport, Connection)
        client.close()
        self.until(lambda: not self.protocols[0].transport.connected)

    def test_interfaces(self) -> None:
        """
        Both are parsers of endpoint strings, and what they make are endpoints.
        """
        parsers: list[Any] = [FastTCP(), FastUNIX()]
        for parser in parsers:
            self.assertTrue(IStreamServerEndpointStringParser.providedBy(parser))
            verifyObject(IStreamServerEndpoint, parser.parseStreamServer(self.reactor, "1"))

    def test_tcp(self) -> None:
        """
        C{fasttcp:} is served fast, on the interface that is named.
        """
        port = self.serve("fasttcp:0:interface=127.0.0.1")
        self.assertEqual(port.getHost().host, "127.0.0.1")
        self.assertServed(port)

    def test_everywhere(self) -> None:
        """
        Without one it is every interface, as C{tcp:} has it, on whatever reactor.
        """
        reactor: Any = MemoryReactor()
        serverFromString(reactor, "fasttcp:8007").listen(Factory.forProtocol(Said))
        self.assertEqual([(server[0], server[3]) for server in reactor.tcpServers], [(8007, "0.0.0.0")])

    def test_unix(self) -> None:
        """
        C{fastunix:} is served fast, and its file has the permissions that are asked for.
        """
        for mode, words in ((0o666, ""), (0o660, ":mode=660")):
            path = str(self.folder / f"{mode:o}")
            self.assertServed(self.serve(f"fastunix:{path}{words}"))
            self.assertEqual(stat.S_IMODE(Path(path).stat().st_mode), mode)

    def test_wrong(self) -> None:
        """
        What makes no sense is refused, with what would.
        """
        for words in ("fasttcp:port", "fasttcp:70000", "fasttcp:8007:interface=here", f"fastunix:{'x' * 200}"):
            self.assertRaises(ValueError, serverFromString, self.reactor, words)
        self.assertRaises(TypeError, serverFromString, self.reactor, "fasttcp:8007:colour=red")
        missing = serverFromString(self.reactor, f"fastunix:{os.fspath(self.folder)}/not/there")
        self.failureResultOf(missing.listen(Factory()), OpenError)

"""
Endpoint strings of the fast transports.
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


class EchoProtocol(Protocol):
    """
    Keeps what it receives, and sends it back.
    """

    received = b""

    def dataReceived(self, data: bytes) -> None:
        """
        Keep it and send it back.
        """
        self.received += data
        transport: Any = self.transport
        transport.write(data)


class StringsTests(LoopCase):
    """
    Any server of Twisted uses the fast transports by its endpoint string.
    """

    def serve(self, string: str) -> Any:
        """
        Listen at an endpoint string.

        @return: the port.
        """
        self.protocols: list[Any] = []

        class EchoFactory(Factory):
            noisy = False

            def buildProtocol(factory, addr: Any) -> Protocol:  # noqa: N805
                self.protocols.append(EchoProtocol())
                return self.protocols[-1]  # type: ignore[no-any-return]

        port: Any = self.successResultOf(serverFromString(self.reactor, string).listen(EchoFactory()))
        self.addCleanup(port.stopListening)
        return port

    def assertServed(self, port: Any) -> None:
        """
        Check that a fast transport serves a peer.
        """
        client = self.connect(port.getHost())
        client.sendall(b"words")
        self.assertEqual(self.hear(client, 5), b"words")
        self.assertIsInstance(self.protocols[0].transport, Connection)
        client.close()
        self.until(lambda: not self.protocols[0].transport.connected)

    def test_interfaces(self) -> None:
        """
        Both parse endpoint strings, and make endpoints.
        """
        parsers: list[Any] = [FastTCP(), FastUNIX()]
        for parser in parsers:
            self.assertTrue(IStreamServerEndpointStringParser.providedBy(parser))
            verifyObject(IStreamServerEndpoint, parser.parseStreamServer(self.reactor, "1"))

    def test_tcp(self) -> None:
        """
        C{fasttcp:} listens on the given interface.
        """
        port = self.serve("fasttcp:0:interface=127.0.0.1")
        self.assertEqual(port.getHost().host, "127.0.0.1")
        self.assertServed(port)

    def test_everywhere(self) -> None:
        """
        By default C{fasttcp:} listens on every interface, as C{tcp:} does, on any reactor.
        """
        reactor: Any = MemoryReactor()
        serverFromString(reactor, "fasttcp:8007").listen(Factory.forProtocol(EchoProtocol))
        self.assertEqual([(server[0], server[3]) for server in reactor.tcpServers], [(8007, "0.0.0.0")])

    def test_unix(self) -> None:
        """
        C{fastunix:} makes a file with the given mode.
        """
        for mode, string in ((0o666, ""), (0o660, ":mode=660")):
            path = str(self.folder / f"{mode:o}")
            self.assertServed(self.serve(f"fastunix:{path}{string}"))
            self.assertEqual(stat.S_IMODE(Path(path).stat().st_mode), mode)

    def test_wrong(self) -> None:
        """
        An invalid string is refused.
        """
        for string in ("fasttcp:port", "fasttcp:70000", "fasttcp:8007:interface=here", f"fastunix:{'x' * 200}"):
            self.assertRaises(ValueError, serverFromString, self.reactor, string)
        self.assertRaises(TypeError, serverFromString, self.reactor, "fasttcp:8007:colour=red")
        missing = serverFromString(self.reactor, f"fastunix:{os.fspath(self.folder)}/not/there")
        self.failureResultOf(missing.listen(Factory()), OpenError)

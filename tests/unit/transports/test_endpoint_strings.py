"""
Endpoint strings that listen through the ports of this package.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint, IStreamServerEndpointStringParser
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from zope.interface.verify import verifyObject

from sockservices.transports.connection import Connection
from sockservices.transports.endpoint_strings import FastTCP, FastUNIX
from sockservices.transports.sockets import OpenError
from sockservices.transports.stream_port import StreamPort
from sockservices.transports.twisted_endpoints import twistedEndpoint
from tests.support.stream_ports import StreamPortCase


class EndpointStringTests(StreamPortCase):
    """
    C{fasttcp:} and C{fastunix:}, which any server of Twisted can use, and L{twistedEndpoint}.
    """

    def assertListens(self, string: str) -> Any:
        """
        Check that a peer is served over a fast transport. @return: the port.
        """
        port: Any = self.successResultOf(serverFromString(self.reactor, string).listen(self.factory))
        self.addCleanup(port.stopListening)
        client = self.connect(port.getHost())
        self.assertServed(client)
        self.assertIsInstance(self.factory.made[-1].transport, Connection)
        client.close()
        self.until(lambda: self.factory.made == self.factory.lost)
        return port

    def test_interfaces(self) -> None:
        """
        The plugins parse endpoint strings, and make endpoints.
        """
        parsers: list[Any] = [FastTCP(), FastUNIX()]
        for parser in parsers:
            self.assertTrue(IStreamServerEndpointStringParser.providedBy(parser))
            verifyObject(IStreamServerEndpoint, parser.parseStreamServer(self.reactor, "1"))

    def test_tcp(self) -> None:
        """
        C{fasttcp:} listens on the given interface; by default on every interface, as C{tcp:} does, on any reactor.
        """
        self.assertEqual(self.assertListens("fasttcp:0:interface=127.0.0.1").getHost().host, "127.0.0.1")
        reactor: Any = MemoryReactor()
        serverFromString(reactor, "fasttcp:8007").listen(self.factory)
        self.assertEqual([(server[0], server[3]) for server in reactor.tcpServers], [(8007, "0.0.0.0")])

    def test_unix(self) -> None:
        """
        C{fastunix:} makes a file with the given mode.
        """
        for mode, argument in ((0o666, ""), (0o660, ":mode=660")):
            path = str(self.folder / f"{mode:o}")
            self.assertListens(f"fastunix:{path}{argument}")
            self.assertEqual(stat.S_IMODE(Path(path).stat().st_mode), mode)

    def test_invalid(self) -> None:
        """
        An invalid string raises an exception. A path that cannot be bound fails the Deferred of C{listen}.
        """
        for error, string in (
            (ValueError, "fasttcp:port"),
            (ValueError, "fasttcp:70000"),
            (ValueError, "fasttcp:8007:interface=here"),
            (ValueError, f"fastunix:{'x' * 200}"),
            (TypeError, "fasttcp:8007:colour=red"),
        ):
            self.assertRaises(error, serverFromString, self.reactor, string)
        missing = serverFromString(self.reactor, f"fastunix:{self.folder}/missing/socket")
        self.failureResultOf(missing.listen(Factory()), OpenError)

    def test_twistedEndpoint(self) -> None:
        """
        L{twistedEndpoint} listens through the ports of this package, which make no lock file. For the name of a host it
        listens through Twisted's port.
        """
        path = self.folder / "socket"
        files: set[Path] = set()
        for string, ours in (
            ("fasttcp:0:interface=127.0.0.1", True),
            (f"fastunix:{quoteStringArgument(str(path))}", True),
            ("tcp:0:interface=127.0.0.1", True),
            ("tcp:0:interface=localhost", False),
        ):
            port: Any = self.successResultOf(twistedEndpoint(self.reactor, string).listen(self.factory))
            self.assertEqual(isinstance(port, StreamPort), ours)
            self.assertEqual(getattr(port.getHost(), "host", "127.0.0.1"), "127.0.0.1")
            files.update(self.folder.iterdir())
            self.wait(port.stopListening())
        self.assertEqual(files, {path})

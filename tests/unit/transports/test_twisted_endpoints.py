"""
Twisted's endpoint strings over the ports of this package.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.protocol import Factory

from sockservices.transports.stream_port import StreamPort
from sockservices.transports.twisted_endpoints import twistedEndpoint
from tests.support.loop import LoopCase


class TwistedEndpointTests(LoopCase):
    """
    Tests with real sockets.
    """

    def listen(self, text: str) -> Any:
        """
        Listen at an endpoint string.
        """
        port: Any = self.successResultOf(twistedEndpoint(self.reactor, text).listen(Factory()))
        self.addCleanup(lambda: self.wait(port.stopListening()))
        return port

    def test_fastEndpoints(self) -> None:
        """
        The endpoint strings of this package listen through its ports, and make no lock file.
        """
        path = self.folder / "s"
        for text in ("fasttcp:0:interface=127.0.0.1", f"fastunix:{quoteStringArgument(str(path))}"):
            self.assertIsInstance(self.listen(text), StreamPort)
        self.assertEqual(list(self.folder.iterdir()), [path])

    def test_hostName(self) -> None:
        """
        An interface may be a host name, as Twisted's C{tcp:} allows.
        """
        self.assertEqual(self.listen("tcp:0:interface=localhost").getHost().host, "127.0.0.1")

    def test_address(self) -> None:
        """
        An address is listened at through a port of this package.
        """
        self.assertIsInstance(self.listen("tcp:0:interface=127.0.0.1"), StreamPort)

"""
Twisted's own Echo on Twisted's own transports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers import HOST, WELCOME, reportPort

SERVICES = {"tcp", "udp", "welcome"}
LIBRARY = "twisted"


def serve(service: str, folder: Path) -> None:
    """
    Serve with Twisted's default reactor.
    """
    from twisted.internet import reactor
    from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
    from twisted.protocols.wire import Echo

    class Welcome(Protocol):
        """
        Sends the reply, and closes.
        """

        def dataReceived(self, data: bytes) -> None:
            """
            Send the reply.
            """
            assert self.transport
            self.transport.write(WELCOME)
            self.transport.loseConnection()

    class EchoDatagrams(DatagramProtocol):
        """
        Sends back every datagram.
        """

        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            """
            Send the data back.
            """
            assert self.transport
            self.transport.write(datagram, addr)

    live: Any = reactor
    if service == "udp":
        port = live.listenUDP(0, EchoDatagrams(), interface=HOST)
    else:
        factory = Factory.forProtocol(Welcome if service == "welcome" else Echo)
        port = live.listenTCP(0, factory, backlog=1024, interface=HOST)
    reportPort(port.getHost().port)
    live.run()

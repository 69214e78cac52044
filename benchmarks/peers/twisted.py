"""
Twisted's own Echo on Twisted's own transports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers import HOST, WELCOME, ready

SERVICES = {"tcp", "udp", "welcome"}
LIBRARY = "twisted"


def serve(service: str, folder: Path) -> None:
    """
    Serve with the reactor that Twisted chooses.
    """
    from twisted.internet import reactor
    from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
    from twisted.protocols.wire import Echo

    class Welcome(Protocol):
        """
        Says its words, and hangs up.
        """

        def dataReceived(self, data: bytes) -> None:
            """
            Say them.
            """
            assert self.transport
            self.transport.write(WELCOME)
            self.transport.loseConnection()

    class EchoDatagrams(DatagramProtocol):
        """
        Gives back every datagram.
        """

        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            """
            Give it back.
            """
            assert self.transport
            self.transport.write(datagram, addr)

    live: Any = reactor
    if service == "udp":
        port = live.listenUDP(0, EchoDatagrams(), interface=HOST)
    else:
        factory = Factory.forProtocol(Welcome if service == "welcome" else Echo)
        port = live.listenTCP(0, factory, backlog=1024, interface=HOST)
    ready(port.getHost().port)
    live.run()

"""
Protocols of datagrams that reply by a route, on any of Twisted's datagram transports.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from sockservices.transports.interfaces import IReplyRoute, IRequestProtocol

__all__ = ["RequestProtocol", "TransportRoute", "peerAddress"]

#: What a datagram transport raises when it does not take a datagram; Twisted's own are among them.
SEND_ERRORS = (OSError, TypeError, ValueError, MessageLengthError)


def peerAddress(peer: Any) -> IAddress | None:
    """
    The source of a datagram as an address.

    @param peer: as an L{IReplyRoute} names it.
    """
    if isinstance(peer, tuple):
        return (IPv6Address if ":" in peer[0] else IPv4Address)("UDP", peer[0], peer[1])
    return UNIXAddress(peer) if peer else None


@implementer(IReplyRoute)
class TransportRoute:
    """
    A route that writes to a transport of Twisted's at once. The system chooses the address that the reply leaves from.
    """

    __slots__ = ("_protocol", "_transport", "destination", "peer")

    def __init__(self, transport: Any, peer: Any, protocol: RequestProtocol, destination: str | None = None) -> None:
        self._transport = transport
        self._protocol = protocol
        self.peer = peer
        self.destination = destination

    def send(self, datagram: bytes, token: object) -> None:
        """
        Send a reply.
        """
        try:
            self._transport.write(datagram, self.peer)
        except SEND_ERRORS as error:
            self._protocol.repliesSent([], [(token, error)])
        else:
            self._protocol.repliesSent([token], [])


@implementer(IRequestProtocol)
class RequestProtocol(DatagramProtocol):
    """
    A datagram protocol that replies by a route, whichever transport it has.
    """

    noisy = False
    transport: Any

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        A datagram has come from a transport that knows no routes.

        @param addr: the source: host and port, or the path of a Unix socket, or L{None} if that has none.
        """
        destination = getattr(self.transport, "destination", None)
        self.requestReceived(datagram, TransportRoute(self.transport, addr, self, destination))

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        A datagram has come.

        @param route: an L{IReplyRoute}.
        """
        raise NotImplementedError

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        The kernel has taken the replies of these tokens, and has refused the others.
        """
        raise NotImplementedError

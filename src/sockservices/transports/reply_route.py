"""
Datagram protocols that reply through routes, on any of Twisted's datagram transports.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from sockservices.conversation.transport import Transport
from sockservices.transports.interfaces import IReplyRoute, IRequestProtocol

__all__ = ["SEND_ERRORS", "RequestProtocol", "TransportRoute", "peerAddress", "transportOf"]

#: The exceptions that datagram transports, including Twisted's own, raise when they cannot send a datagram.
SEND_ERRORS = (OSError, TypeError, ValueError, MessageLengthError)


def peerAddress(peer: Any) -> IAddress | None:
    """
    Convert the source of a datagram to an address.

    @param peer: the C{peer} of an L{IReplyRoute}.
    """
    if isinstance(peer, tuple):
        return (IPv6Address if ":" in peer[0] else IPv4Address)("UDP", peer[0], peer[1])
    return UNIXAddress(peer) if peer else None


def transportOf(peer: Any) -> Transport:
    """
    The transport of a datagram.

    @param peer: the C{peer} of an L{IReplyRoute}.
    """
    return Transport.UDP if isinstance(peer, tuple) else Transport.UNIXGRAM


@implementer(IReplyRoute)
class TransportRoute:
    """
    A route that sends replies at once through a transport of Twisted's. The system chooses their source address.
    """

    __slots__ = ("_protocol", "_transport", "destination", "peer", "source")

    faults = ()

    def __init__(self, transport: Any, peer: Any, protocol: Any, destination: str | None = None) -> None:
        self._transport = transport
        self._protocol = protocol
        self.peer = peer
        self.destination = destination
        self.source: Any = None

    def send(self, datagram: bytes, token: object) -> None:
        """
        Send a reply, and report the result to the protocol before returning.
        """
        try:
            self.write(datagram)
        except SEND_ERRORS as error:
            self._protocol.repliesSent([], [(token, error)])
        else:
            self._protocol.repliesSent([token], [])

    def write(self, datagram: bytes) -> None:
        """
        Send a reply, and report nothing.
        """
        self._transport.write(datagram, self.peer)


@implementer(IRequestProtocol)
class RequestProtocol(DatagramProtocol):
    """
    A datagram protocol that replies through routes, on any datagram transport.
    """

    noisy = False
    transport: Any

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Called by a transport without routes when a datagram arrives.

        @param addr: the source: host and port, or the path of a Unix socket; L{None} for an unnamed one.
        """
        destination = getattr(self.transport, "destination", None)
        self.requestReceived(datagram, TransportRoute(self.transport, addr, self, destination))

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Called when a datagram arrives.
        """
        raise NotImplementedError

    def requestLost(self, size: int, route: Any) -> None:
        """
        Called when a fault has dropped a datagram of C{size} bytes.
        """

    def changedReplySent(self, token: Any, size: int) -> None:
        """
        Called when the kernel has accepted a reply, and faults have changed its size.

        @param size: how many bytes were sent, of all copies together.
        """
        self.repliesSent([token], [])

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        Called with the results of sending: the tokens of the replies that the kernel has accepted, and the tokens of
        the others, each with the exception.
        """
        raise NotImplementedError

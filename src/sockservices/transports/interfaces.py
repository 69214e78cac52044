"""
The interfaces between transports and protocols. Their method names are Twisted's, so that any of Twisted's protocols
can use the same transport.
"""

from __future__ import annotations

from twisted.internet.interfaces import IConsumer, ITransport
from zope.interface import Attribute, Interface

__all__ = ["IReplyRoute", "IRequestProtocol", "IStreamTransport"]


class IStreamTransport(ITransport, IConsumer, Interface):
    """
    The transport of one connection.

    A protocol that uses this interface calls no other method of its transport and reads no other attribute. So a
    L{StreamLayer<sockservices.transports.stream_layer.StreamLayer>} between the two sees every call.
    """

    halfCloses = Attribute("Whether L{loseWriteConnection} leaves reading open. If not, it closes the connection.")

    identifying = Attribute(
        "Whether the peer's address is not known yet. The transport calls C{peerIdentified} of the protocol later."
    )

    def pauseProducing() -> None:
        """
        Stop reading.
        """

    def resumeProducing() -> None:
        """
        Resume reading.
        """

    def limitReads(size: int) -> None:
        """
        Read no more than so many bytes at a time.
        """

    def loseWriteConnection() -> None:
        """
        Send all pending bytes, then a FIN, then call C{writeConnectionLost} of the protocol.
        """

    def abortConnection() -> None:
        """
        Reset the connection. Pending bytes are lost.
        """

    faults = Attribute("The faults that were applied on purpose: pairs of a word and how often.")

    discardedBytes = Attribute(
        "How many bytes from the peer, and to the peer, faults have discarded or still hold: a pair of numbers."
    )

    def limitBuffers(size: int) -> None:
        """
        Read at most C{size} bytes at once, and pause the producer when more are pending in this process.
        """

    def unsentBytes() -> int:
        """
        Count the bytes that are pending in this process, or in the kernel and not sent yet.
        """

    def userspaceBytes() -> int:
        """
        Count the bytes that are pending in this process.
        """

    def unackedBytes() -> int:
        """
        Count the bytes that are pending in this process, or in the kernel: queued or sent, but not acknowledged.
        """


class IReplyRoute(Interface):
    """
    A route for replies to the source of one datagram. A protocol may keep it, and use it at any time while the port is
    open.
    """

    peer = Attribute("The source: host and port, or the path of a Unix socket; L{None} for an unnamed one.")
    faults = Attribute("The faults that were applied on purpose so far: pairs of a word and how often.")
    destination = Attribute("The destination IP address of the datagram, or L{None} where it is not known.")

    source = Attribute(
        "What the protocol has found out about the source, at first L{None}. A port may reuse the route."
    )

    def send(datagram: bytes, token: object) -> None:
        """
        Send a reply from the destination address of the datagram, at once or together with other replies.

        @param datagram: the reply, a whole datagram.
        @param token: identifies the reply when the transport calls C{repliesSent} of the protocol.
        """


class IRequestProtocol(Interface):
    """
    A datagram protocol that replies through routes.
    """

    def requestReceived(datagram: bytes, route: IReplyRoute) -> None:
        """
        Called when a datagram arrives.
        """

    def requestLost(size: int, route: IReplyRoute) -> None:
        """
        Called when a fault has dropped a datagram of C{size} bytes.
        """

    def changedReplySent(token: object, size: int) -> None:
        """
        Called in place of C{repliesSent} when the kernel has accepted a reply, and faults have changed its size.

        @param size: how many bytes were sent, of all copies together.
        """

    def repliesSent(tokens: list[object], failures: list[tuple[object, Exception]]) -> None:
        """
        Called with the results of sending. Each token is passed once, to this method or to C{changedReplySent}.

        @param tokens: the tokens of the replies that the kernel has accepted.
        @param failures: the tokens of the other replies, each with the exception.
        """

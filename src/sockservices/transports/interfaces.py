"""
What protocols ask of a transport here. The names are Twisted's, so that any of Twisted's protocols can use the same
transport.
"""

from __future__ import annotations

from twisted.internet.interfaces import IConsumer, ITransport
from zope.interface import Attribute, Interface

__all__ = ["IReplyRoute", "IRequestProtocol", "IStreamTransport"]


class IStreamTransport(ITransport, IConsumer, Interface):
    """
    The transport of one connection.

    A protocol that knows this interface asks nothing else of its transport, and reads no attribute that is not named
    here: so whatever stands between the two sees all that passes, such as a
    L{StreamLayer<sockservices.transports.stream_layer.StreamLayer>}.
    """

    halfCloses = Attribute("Whether L{loseWriteConnection} leaves reading open; else it closes both ways.")

    identifying = Attribute(
        "Whether it is not known yet who the peer is: then C{peerIdentified} of the protocol follows."
    )

    def pauseProducing() -> None:
        """
        Stop reading.
        """

    def resumeProducing() -> None:
        """
        Read again.
        """

    def loseWriteConnection() -> None:
        """
        Send what is pending, then a FIN. C{writeConnectionLost} of the protocol follows.
        """

    def abortConnection() -> None:
        """
        Reset the connection. What is pending is lost.
        """

    def userspaceBytes() -> int:
        """
        How many bytes are pending in this process.
        """

    def unackedBytes() -> int:
        """
        How many bytes are pending in this process, and in the kernel: queued or sent, but not acknowledged.
        """


class IReplyRoute(Interface):
    """
    The way back to the source of one datagram. It may be kept, and used at any time while the port is open.
    """

    peer = Attribute("The source: host and port, or the path of a Unix socket; L{None} where it has no address.")
    destination = Attribute("The IP address that the datagram was sent to, or L{None} where that is not known.")

    def send(datagram: bytes, token: object) -> None:
        """
        Send a reply, from the address that the datagram was sent to: now, or together with others.

        @param token: names the reply when C{repliesSent} of the protocol tells what became of it.
        """


class IRequestProtocol(Interface):
    """
    A protocol of datagrams that replies by a route.
    """

    def requestReceived(datagram: bytes, route: IReplyRoute) -> None:
        """
        A datagram has come.
        """

    def repliesSent(tokens: list[object], failures: list[tuple[object, Exception]]) -> None:
        """
        The kernel has taken the replies of these tokens, and has refused the others. Each token comes once.
        """

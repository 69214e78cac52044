"""
A layer that reads a PROXY header at the beginning of a connection.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from sockservices.text.addresses import addressText
from sockservices.text.log_interval import LogInterval
from sockservices.transports.proxy_header import ProxyHeader, ProxyHeaderError, parseProxyHeader
from sockservices.transports.stream_layer import StreamLayer

__all__ = ["ProxyLayer"]

log = Logger("sockservices")

#: Seconds in which the header must arrive. The specification recommends at least 3.
HEADER_TIMEOUT = 5.0


class ProxyLayer(StreamLayer):
    """
    A connection that begins with a PROXY header and takes its addresses from it. A connection without a valid header is
    reset.

    A protocol with a method C{peerIdentified} is connected at once, and the layer calls that method when it has read
    the header. Any other protocol is connected only then.
    """

    def __init__(self, protocol: Any, clock: IReactorTime, logInterval: LogInterval) -> None:
        """
        @param logInterval: limits the log lines about rejected connections; the connections of a listener share it.
        """
        super().__init__(protocol)
        self._clock = clock
        self._logInterval = logInterval
        self._buffer = b""
        self._header: ProxyHeader | None = None
        self._deadline: IDelayedCall | None = None

    @property
    def identifying(self) -> bool:
        """
        Whether the header is still incomplete.
        """
        return self._header is None

    def makeConnection(self, transport: Any) -> None:
        """
        Start the timeout for the header, and connect a protocol that has C{peerIdentified}.
        """
        self._deadline = self._clock.callLater(HEADER_TIMEOUT, self._reject, f"no header in {HEADER_TIMEOUT:.0f} s")
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Read the header, and pass on the bytes after it.
        """
        if self._header is not None:
            self.protocol.dataReceived(data)
            return
        if self._deadline is None:
            return
        self._buffer += data
        try:
            header = parseProxyHeader(self._buffer)
        except ProxyHeaderError as error:
            self._reject(str(error))
            return
        if header is not None:
            self._cancelDeadline()
            self._header = header
            rest, self._buffer = self._buffer[header.length :], b""
            self.peerIdentified()
            if rest:
                self.protocol.dataReceived(rest)

    def readConnectionLost(self) -> None:
        """
        Pass on the peer's FIN. Reject the connection if the FIN precedes the end of the header.
        """
        if self._header is not None:
            super().readConnectionLost()
        elif self._deadline is not None:
            self._reject("the connection ended before the header")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Pass on the end of the connection to a protocol that is connected.
        """
        self._cancelDeadline()
        super().connectionLost(reason)

    def _reject(self, reason: str) -> None:
        self._cancelDeadline()
        if self._logInterval.allows("rejected", self._clock.seconds()):
            log.info(
                "{peer}: no PROXY header: {cause}; connection reset (at most one such line in {interval:.0f} s)",
                peer=addressText(self.transport.getPeer()) or "-",
                cause=reason,
                interval=self._logInterval.seconds,
            )
        self.abortConnection()

    def _cancelDeadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()

    def getPeer(self) -> IAddress:
        """
        The client's address from the header; before that, or if the header has none, the address of the peer.
        """
        return (self._header and self._header.source) or super().getPeer()

    def getHost(self) -> IAddress:
        """
        The address from the header that the client connected to; before that, or if the header has none, the local
        address.
        """
        return (self._header and self._header.destination) or super().getHost()

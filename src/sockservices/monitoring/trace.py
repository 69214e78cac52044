"""
The trace: one line for each connection and each message that peers send.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.logger import Logger

from sockservices.conversation.transport import Transport
from sockservices.text.addresses import addressText
from sockservices.transports.datagram_layer import DatagramLayer
from sockservices.transports.reply_route import peerAddress, transportOf
from sockservices.transports.stream_layer import StreamLayer

__all__ = ["DatagramTrace", "StreamTrace", "quoted"]

log = Logger("sockservices")

#: The maximum number of characters of a message in the text of the log.
MAX_CHARACTERS = 80

#: The maximum number of bytes of a message in an object of the log in JSON.
MAX_BYTES = 4096


def quoted(message: bytes) -> str:
    """
    A message as one printable line of at most 80 characters, for any bytes.
    """
    text = repr(message[:MAX_CHARACTERS])
    return text if len(message) <= MAX_CHARACTERS >= len(text) else text[: MAX_CHARACTERS - 3] + "..."


def _logMessage(service: str, transport: Transport, peer: str, message: bytes) -> None:
    log.info(
        # Not {message}: Twisted's older log has a key of that name, and its observers would empty it.
        "{service}: {peer}: {words}",
        service=service,
        transport=transport,
        peer=peer,
        words=quoted(message),
        received=len(message),
        data=message[:MAX_BYTES],
    )


class StreamTrace(StreamLayer):
    """
    Logs the connection and each received segment.
    """

    def __init__(self, protocol: Any, service: str) -> None:
        super().__init__(protocol)
        self._service = service

    def makeConnection(self, transport: Any) -> None:
        """
        Log the peer, unless its address is not known yet.
        """
        if not getattr(transport, "identifying", False):
            self._logPeer(transport)
        super().makeConnection(transport)

    def peerIdentified(self) -> None:
        """
        Log the peer.
        """
        self._logPeer(self.transport)
        super().peerIdentified()

    def _logPeer(self, transport: Any) -> None:
        peer = transport.getPeer()
        self._peer = addressText(peer) or "-"
        self._transport = Transport.UNIX if isinstance(peer, UNIXAddress) else Transport.TCP
        log.info("{service}: connected: {peer}", service=self._service, transport=self._transport, peer=self._peer)

    def dataReceived(self, data: bytes) -> None:
        """
        Log a segment.
        """
        _logMessage(self._service, self._transport, self._peer, data)
        super().dataReceived(data)


class DatagramTrace(DatagramLayer):
    """
    Logs each datagram that comes.
    """

    def __init__(self, protocol: Any, service: str) -> None:
        super().__init__(protocol)
        self._service = service

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Log a datagram.
        """
        peer = addressText(peerAddress(route.peer)) or "-"
        _logMessage(self._service, transportOf(route.peer), peer, datagram)
        super().requestReceived(datagram, route)

"""
The peer of a connection, as a coroutine talks to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, fail

from sockservices.conversation.context import Conversation
from sockservices.scripting.remote_peer import RemotePeer, checkData

if TYPE_CHECKING:
    from sockservices.scripting.coroutine_exchange import CoroutineExchange

__all__ = ["ConnectedPeer"]


class ConnectedPeer(RemotePeer):
    """
    The peer of one connection.
    """

    def __init__(self, exchange: CoroutineExchange, conversation: Conversation) -> None:
        super().__init__(conversation, exchange.reader, exchange.clock)
        self._exchange = exchange

    def send(self, data: bytes) -> Deferred[None]:
        """
        Send bytes.
        """
        checkData(data, self._exchange.finished)
        return fail(CancelledError()) if self.isOver else self._exchange.send(data)

    def finish(self) -> None:
        """
        Send a FIN after the bytes sent so far, and go on receiving.
        """
        if not self.isOver:
            self._exchange.finish()

    def abort(self) -> None:
        """
        Reset the connection.
        """
        if not self.isOver:
            self._exchange.abortByCoroutine()

    def _wait(self) -> None:
        self._exchange.waitsForPeer()

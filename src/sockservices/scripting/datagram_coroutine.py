"""
A coroutine that replies to one datagram.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed

from sockservices.conversation.context import Conversation
from sockservices.conversation.responder import MakeResponder, Responder, serviceName
from sockservices.conversation.responder_types import ResponderTypeError
from sockservices.scripting.coroutine_service import CoroutineService, Service, isCoroutineService
from sockservices.scripting.remote_peer import RemotePeer, checkData
from sockservices.transports.stream_reader import IncompleteRead, StreamReader

__all__ = ["datagramMaker"]

#: Bytes: more than any datagram has.
MAX_REPLY = 2**18


def datagramMaker(service: Service) -> MakeResponder:
    """
    What makes responders for datagrams. A coroutine gets a responder, whose reply is awaited.
    """
    return partial(_DatagramCoroutine, service) if isCoroutineService(service) else service  # type: ignore[return-value]


class _DatagramPeer(RemotePeer):
    """
    The source of one datagram. The coroutine receives its bytes, and then the end.

    @ivar reply: the bytes that were sent; L{None} before the first C{send}.
    """

    def __init__(self, conversation: Conversation, datagram: bytes) -> None:
        super().__init__(conversation, StreamReader(int, int))
        self._reader.received(datagram)
        self._reader.end()
        self._finished = False
        self.reply: bytes | None = None

    def send(self, data: bytes) -> Deferred[None]:
        """
        Add bytes to the reply.
        """
        checkData(data, self._finished)
        if not self.isOver:
            self.reply = (self.reply or b"") + data
            if len(self.reply) > MAX_REPLY:
                raise ValueError(f"a reply of {len(self.reply)} bytes: expected at most {MAX_REPLY} to a datagram")
        return succeed(None)

    def finish(self) -> None:
        """
        End the reply. It leaves when the coroutine returns.
        """
        self._finished = True

    def abort(self) -> None:
        """
        Send no reply.
        """
        self.isOver, self.reply = True, None


class _DatagramCoroutine(Responder):
    """
    The responder of one datagram.
    """

    def __init__(self, service: CoroutineService, conversation: Conversation) -> None:
        super().__init__(conversation)
        self._service = service
        self.name = serviceName(service)  # type: ignore[misc]

    async def answer(self, message: bytes) -> bytes | None:  # type: ignore[override]
        """
        Run the coroutine.

        @return: everything that it sent, as one datagram.
        """
        peer = _DatagramPeer(self.conversation, message)
        result: Any = None
        with suppress(IncompleteRead):
            result = await self._service(peer)  # type: ignore[func-returns-value]
        if result is not None:
            raise ResponderTypeError(f"{self.name}() returned {type(result).__name__}, expected None")
        return peer.reply

"""
A coroutine that talks to a peer in memory, without a protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.task import Clock

from sockservices.conversation.context import Conversation
from sockservices.conversation.phase import Phase
from sockservices.conversation.policy import Policy
from sockservices.scripting.coroutine_exchange import TURN, CoroutineExchange
from sockservices.scripting.coroutine_service import CoroutineService

__all__ = ["MemoryCoroutine"]


class MemoryCoroutine:
    """
    An exchange with a coroutine that has the methods of an exchange with a responder. Each method returns what the
    coroutine sends until it waits.

    @ivar awaiting: L{None}: no reply is awaited.
    """

    awaiting = None
    writingPaused = False

    def __init__(self, service: CoroutineService, settle: Callable[[], object]) -> None:
        """
        @param settle: called if the coroutine waits for something else than the peer.
        """
        self._clock = Clock()
        self._settle = settle
        self._output: list[bytes] = []
        self._exchange = CoroutineExchange(service, Policy(), 0.0, self, self._clock)

    @property
    def phase(self) -> Phase:
        """
        Where the conversation is.
        """
        return self._exchange.phase

    @property
    def exception(self) -> BaseException | None:
        """
        What the coroutine has raised.
        """
        return self._exchange.exception

    @property
    def _waits(self) -> bool:
        exchange = self._exchange
        return exchange.phase is Phase.OPEN and not exchange.reader.receiving

    @property
    def generator(self) -> Iterator[bytes] | None:
        """
        The output of a coroutine that sends without end.
        """
        return self._endlessOutput() if self._waits and self._clock.getDelayedCalls() else None

    def _endlessOutput(self) -> Iterator[bytes]:
        while self._waits:
            self._clock.advance(TURN)
            yield self._take() or b""

    def open(self, conversation: Conversation) -> bytes | None:
        """
        Start the coroutine.
        """
        self._exchange.open(conversation)
        return self._take()

    def receive(self, message: bytes) -> bytes | None:
        """
        Send a segment to the coroutine.
        """
        self._clock.advance(TURN)
        self._exchange.receive(message)
        return self._take()

    def end(self) -> bytes | None:
        """
        End the peer's side.
        """
        self._clock.advance(TURN)
        self._exchange.end()
        return self._take()

    def _take(self) -> bytes | None:
        if self._waits and not self._clock.getDelayedCalls():
            self._settle()
        output, self._output = self._output, []
        return b"".join(output) if output else None

    # The port of the exchange.

    def write(self, data: bytes) -> None:
        """
        Keep what is sent.
        """
        self._output.append(data)

    def follow(self) -> None:
        """
        Do nothing: there is no connection. So do the other methods of the port.
        """

    def pauseReading(self) -> None:
        """
        Do nothing.
        """

    resumeReading = halfClose = pauseReading

    def logException(self, exception: BaseException) -> None:
        """
        Do nothing.
        """

"""
The peer of a conversation, as a coroutine talks to it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from sockservices.conversation.context import Conversation
from sockservices.scripting.expectations import Expectations
from sockservices.transports.stream_reader import Rule, StreamReader

__all__ = ["ReceiveTimeout", "RemotePeer", "checkData"]


class ReceiveTimeout(TimeoutError):  # noqa: N818 (as Twisted's ConnectionLost is)
    """
    What was to be received did not come in time.
    """


class RemotePeer(Expectations):
    """
    The peer of one conversation. The methods have the names that a client's connection has.

    When the conversation ends, the coroutine is cancelled: the C{await} in which it waits, or else the next one, raises
    L{CancelledError<twisted.internet.defer.CancelledError>}.

    A receive fails with L{ReceiveTimeout} after its timeout, and with L{IncompleteRead
    <sockservices.scripting.IncompleteRead>} if the peer ends before all bytes have come.

    @ivar conversation: what is known of the conversation.
    @ivar isOver: whether the conversation has ended.
    """

    isOver = False

    def __init__(self, conversation: Conversation, reader: StreamReader, clock: IReactorTime | None = None) -> None:
        """
        @param clock: measures timeouts; L{None} if everything that can be received has come.
        """
        self.conversation = conversation
        self._reader = reader
        self._clock = clock

    @property
    def ended(self) -> bool:
        """
        Whether the peer has ended its side. Bytes that came before may still wait to be received.
        """
        return self._reader.ended

    def send(self, data: bytes) -> Deferred[None]:
        """
        Send bytes. On datagrams they are a part of the reply.

        @return: fires at once; or, if 64 KiB wait to be sent, when the peer has taken them.
        @raise RuntimeError: after L{finish}.
        @raise TypeError: for an object that is not bytes.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """
        Send a FIN after the bytes sent so far, and go on receiving. Over TLS, which has no half-close, do nothing.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """
        Reset the connection. To a datagram, send no reply.
        """
        raise NotImplementedError

    def sleep(self, seconds: float) -> Awaitable[None]:
        """
        Wait, by the server's clock.
        """
        return fail(CancelledError()) if self.isOver else self.conversation.sleep(seconds)

    def _receive(self, rule: Rule, timeout: float | None, expected: str) -> Deferred[bytes]:
        if self.isOver:
            return fail(CancelledError())
        received = self._reader.receive(rule)
        self._wait()
        if timeout is not None and self._clock is not None:
            timedOut = Failure(ReceiveTimeout(f"no {expected} within {timeout:g} s"))
            received.addTimeout(timeout, self._clock, lambda *_: timedOut)
        return received

    def _wait(self) -> None:
        """
        Called when a receive has begun, and may wait for the peer.
        """


def checkData(data: object, finished: bool) -> None:
    """
    Reject what cannot be sent.

    @param finished: whether C{finish} was called.
    """
    if not isinstance(data, bytes):
        raise TypeError(f"send() got {type(data).__name__}, expected bytes")
    if finished:
        raise RuntimeError("send() after finish()")

"""
One conversation over a stream: a TCP or Unix-stream connection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IPullProducer,
    IPushProducer,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.conversation.context import Conversation
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.responder import Responder
from sockservices.conversation.timeouts import Deadlines
from sockservices.conversation.visit import Visit
from sockservices.protocols.timer import Timer
from sockservices.text.addresses import addressText
from sockservices.text.exceptions import faultText
from sockservices.transports.unacked import backlog, held

if TYPE_CHECKING:
    from sockservices.protocols.stream_factory import StreamFactory

__all__ = ["StreamProtocol"]

log = Logger("sockservices")

#: Seconds for which a connection is read out after our FIN: closed with input unread it would be reset, and the reset
#: destroys what the peer has not read yet (RFC 1122 4.2.2.13).
LINGER = 1.0

#: Bytes of endless talk that are written at a time.
TALK = 65536

#: The most pieces in which they come: a talk of empty ones must end its turn, too.
PIECES = 1024

#: Deadlines that end a conversation in good order, as nothing is owed then; every other one resets.
CLEAN = frozenset({Outcome.TIMED_OUT, Outcome.IDLE, Outcome.DRAINED})


class _Conversation(Conversation):
    """
    What is seldom asked for is worked out when it is.
    """

    __slots__ = ("_protocol",)

    def __init__(self, protocol: StreamProtocol) -> None:
        factory = protocol.factory
        self._protocol = protocol
        self._environment = factory.census.environment
        self.transport = factory.transportOf(protocol.peer)
        self.peer = protocol.peer
        self.serial = protocol.serial
        self.limit = None

    @property
    def host(self) -> IAddress:  # type: ignore[override]
        """
        The local address.
        """
        host: IAddress = self._protocol.transport.getHost()
        return host


@implementer(IHalfCloseableProtocol, IPushProducer, IPullProducer)
class StreamProtocol(Protocol):
    """
    One conversation over one connection.

    It is the producer of its own transport: when the peer does not read, the transport pauses it, and it pauses the
    transport's reading. One timer serves all deadlines.
    """

    #: What every message asks for lies together: a thousand conversations do not fit into the nearest caches.
    __slots__ = ("_answer", "_glancing", "_heardAt", "_received", "_responder", "_seconds", "_sent", "transport")

    factory: StreamFactory
    transport: Any

    _responder: Responder | None
    _answer: Callable[[bytes], bytes | None] | None  # None: what comes is dropped
    _talk: Iterator[bytes] | None = None
    _lingerUntil = math.inf
    _outcome: Outcome | None = None
    _glancing: bool  # the timer is set so that it is seen soon whether the peer takes what it was told
    _paused = False  # because the peer does not read
    _peerEnded = False
    _cut = False  # ended while the peer might still have said something
    _aborted = False
    _received: int
    _sent: int

    def __init__(self, factory: StreamFactory, peer: IAddress) -> None:
        self.factory = factory
        self.peer = peer
        self.serial = factory.census.nextSerial()
        self._seconds = factory.clock.seconds
        self._answer = self._responder = self.transport = None
        self._glancing = False
        self._received = self._sent = 0
        self._beganAt = self._heardAt = self._seconds()
        self._deadlines = Deadlines(factory.policy, self._beganAt)
        self._timer = Timer(factory.clock, self._look)

    # The way of a byte.

    def connectionMade(self) -> None:
        """
        Say the opening.
        """
        factory, transport = self.factory, self.transport
        factory.protocols.add(self)
        try:
            self._responder = responder = factory.responder(_Conversation(self))
            words = responder.greeting()
            finished = responder.finished
            self._talk = None if finished else responder.generate()
            if words:
                self._say(words)
        except Exception as fault:
            self._fail(fault)
            return
        self._deadlines.expect(responder.deadline)
        transport.registerProducer(self, self._talk is None)
        if finished:
            self._close(Outcome.FINISHED)
        if self._outcome is not None:
            return
        if self._talk is None:
            self._answer = responder.answer
        self._timer.by(self._deadlines.first())

    def dataReceived(self, segment: bytes) -> None:
        """
        Answer a segment. While the responder talks, and when the conversation is ending, it is dropped.
        """
        # What is called is got first: so the interpreter finds a slot sooner than by self._seconds().
        seconds, answer = self._seconds, self._answer
        self._heardAt = seconds()
        self._received += len(segment)
        if answer is not None:
            self._reply(answer, segment)
        elif self._cut:
            # It came too late to be answered, and is not to be dropped behind an end that looks clean.
            self.abort(self._outcome or Outcome.DRAINED)

    def _reply(self, answer: Callable[[bytes], bytes | None], message: bytes) -> None:
        try:
            words = answer(message)
            finished = self._responder.finished  # type: ignore[union-attr]
            if words:
                # As _say() does, which would be one call more for every message.
                self._sent += len(words)
                self.transport.write(words)
                if not self._glancing:
                    self._glanceSoon()
        except Exception as fault:
            self._fail(fault)
            return
        if finished:
            self._close(Outcome.DONE if self._peerEnded else Outcome.FINISHED)

    def _say(self, words: bytes) -> None:
        self._sent += len(words)
        self.transport.write(words)
        if not self._glancing:
            self._glanceSoon()

    def _glanceSoon(self) -> None:
        # Set once, and not for every message: until it has fired it is early enough for those that follow.
        self._glancing = True
        self._timer.by(self._heardAt + self.factory.glance)

    # Back-pressure.

    def pauseProducing(self) -> None:
        """
        The peer does not read: stop reading from it.
        """
        self._paused = True
        self.transport.pauseProducing()
        self._owe()

    def resumeProducing(self) -> None:
        """
        The peer has taken what was waiting: read on, or talk on.
        """
        self._paused = False
        self._heardAt = self._seconds()
        if self._talk is not None:
            self._talkOn(self._talk)
        elif self._outcome is None:
            self.transport.resumeProducing()

    def _talkOn(self, talk: Iterator[bytes]) -> None:
        pieces: list[bytes] = []
        length = 0
        try:
            for piece in islice(talk, PIECES):
                pieces.append(piece)
                length += len(piece)
                if length >= TALK:
                    break
            self._say(b"".join(pieces))
        except Exception as fault:
            self._fail(fault)
            return
        if length < TALK and len(pieces) < PIECES:
            self._close(Outcome.FINISHED)
        else:
            self._owe()

    def stopProducing(self) -> None:
        """
        The connection is gone: L{connectionLost} is where that is dealt with.
        """

    # The ways out.

    def readConnectionLost(self) -> None:
        """
        The peer's FIN: it is given what it is still owed, then the connection is closed.
        """
        if self._outcome is not None:
            self.transport.loseConnection()
            return
        self._peerEnded = True
        responder, answer = self._responder, self._answer
        if not self._received and answer is not None and responder is not None and responder.deadline is not None:
            self._reply(answer, b"")
        self._close(Outcome.DONE)

    def writeConnectionLost(self) -> None:
        """
        All is written and our FIN is out: what still comes is read out for a moment.
        """
        self._lingerUntil = self._seconds() + LINGER
        self._timer.by(self._lingerUntil)

    def _close(self, outcome: Outcome) -> None:
        """
        The one orderly way out: flush, FIN, read out what is coming, close. Nothing more is answered.
        """
        if self._outcome is not None:
            return
        self._outcome = outcome
        self._answer = self._talk = None
        self._deadlines.close()
        transport = self.transport
        halfCloses = not self._peerEnded and self._halfCloses()
        if held(transport) or not halfCloses:
            self._owe()
        else:
            # Our FIN is as good as out: this need not be watched from now on.
            self._timer.by(self._deadlines.soon(self._seconds()))
        # Must come first: with a paused producer a transport flushes, but then resumes the producer and never closes.
        transport.unregisterProducer()
        if self._paused and not self._peerEnded:
            # The peer's end is still to be read; over TLS the connection does not close without.
            transport.resumeProducing()
        if halfCloses:
            transport.loseWriteConnection()
        else:
            transport.loseConnection()

    def _halfCloses(self) -> bool:
        # Twisted's wrappers, TLS among them, pass half-closes neither down nor up: what is below must know us itself.
        transport = self.transport
        return hasattr(transport, "loseWriteConnection") and getattr(transport, "protocol", None) is self

    def abort(self, outcome: Outcome) -> None:
        """
        The other way out: a reset, by which the peer can tell that it did not get everything.
        """
        if self._aborted:
            return
        self._aborted = True
        self._outcome = outcome
        self._answer = self._talk = None
        self.transport.abortConnection()

    def _fail(self, fault: Exception) -> None:
        """
        The responder raised.
        """
        log.error(
            "{service} raised {fault}: conversation {serial} with {peer} is reset",
            service=self.factory.nameOf(self._responder),
            fault=faultText(fault),
            serial=self.serial,
            peer=addressText(self.peer) or "-",
        )
        self.abort(Outcome.ERROR)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over: count it and record it.
        """
        self._timer.cancel()
        # Not by Failure.check(), which compares names.
        clean = isinstance(reason.value, ConnectionDone)
        if self._outcome is None and clean:
            self._outcome = Outcome.DONE
        elif not self._aborted and not clean and backlog(self.transport):
            # Ended already, but not all was said. A Unix peer that closes is never told of as cleanly as that.
            self._outcome = Outcome.RESET
        visit = Visit(
            self.factory.nameOf(self._responder),
            self.factory.transportOf(self.peer),
            self.peer,
            self.serial,
            self._seconds() - self._beganAt,
            self._received,
            self._sent,
            self._outcome or Outcome.RESET,
        )
        self._answer = self._talk = self._responder = None
        self.factory.ended(self, visit)

    # Deadlines.

    def drain(self) -> None:
        """
        The server stops: end as soon as the connection is quiet and owes nothing. Endless talk ends here.
        """
        self._deadlines.draining = True
        if self._talk is not None:
            self._close(Outcome.DRAINED)
        else:
            self._look(self._seconds())

    def _owe(self) -> None:
        """
        Something may be owed: look soon whether the peer takes it.
        """
        if not self._deadlines.watched:
            self._timer.by(self._deadlines.owe(self._seconds(), self._sent - backlog(self.transport)))

    def _look(self, now: float) -> None:
        """
        End what is over, or set the timer for the next look.
        """
        self._glancing = False
        if now >= self._lingerUntil:
            self.transport.loseConnection()
            return
        waiting = backlog(self.transport)
        if self._lingerUntil < math.inf and not waiting:
            # It was given everything. Its own end may come until then, whatever the grace is.
            self._timer.by(self._lingerUntil)
            return
        over = self._deadlines.look(
            now, self._heardAt, self._received > 0, self._sent - waiting, self._paused or waiting > 0
        )
        if not isinstance(over, Outcome):
            self._timer.by(min(over, self._lingerUntil))
        elif over in CLEAN:
            self._close(over)
            self._cut = over is not Outcome.TIMED_OUT
        else:
            self.abort(over)

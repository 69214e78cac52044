"""
The far end of streams, as cases ask it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from sockservices.client import ClientProtocol, Target, Unanswered, Verdict, connect
from sockservices.client.within import within
from sockservices.conformance.deviation import NotOffered
from sockservices.conformance.heard import End, Heard
from sockservices.conformance.pacer import Pacer
from sockservices.conformance.seconds import Seconds
from sockservices.text.addresses import hostPort

__all__ = ["FarStream", "Talk"]

#: The most that is heard of one that talks on, in bytes.
MOST = 2**20


class Talk:
    """
    One conversation.
    """

    def __init__(self, protocol: ClientProtocol, reactor: Any, seconds: Seconds, now: Callable[[], float]) -> None:
        self._protocol = protocol
        self._reactor = reactor
        self._seconds = seconds
        self._now = now
        self._ended = False
        host = protocol.transport.getHost()
        self._ours = hostPort(host.host, host.port)

    def say(self, data: bytes) -> None:
        """
        Send bytes. When the far end is gone, that is heard.
        """
        self._protocol.send(data).addErrback(lambda _: None)

    def finish(self) -> None:
        """
        End our side.
        """
        self._protocol.finish()

    async def hear(self, least: int = MOST, silence: float | None = None) -> Heard:
        """
        What comes until there are so many bytes, or the far end ends, or is silent for too long.

        @param silence: the seconds that it may be silent.
        """
        limit = self._seconds.answer if silence is None else silence
        words, end = bytearray(), End.MORE
        # One that says a little, again and again, is not listened to for ever.
        late = self._reactor.seconds() + 5 * limit
        while len(words) < least and self._reactor.seconds() < late:
            try:
                segment = await self._protocol.receive(limit)
            except Unanswered as fault:
                end = End.SILENCE if fault.verdict is Verdict.TIMEOUT else End.RESET
                break
            if not segment:
                self._ended, end = True, End.CLEAN
                break
            words += segment
        return Heard(bytes(words), end, self._ours, self._now())

    async def quiet(self) -> Heard:
        """
        What comes where nothing should: words, an end, or silence.
        """
        return await self.hear(1, self._seconds.quiet)

    async def over(self) -> None:
        """
        End it: in order, if the far end has done so.
        """
        if self._ended:
            with suppress(Unanswered):
                await within(self._protocol.end(), self._seconds.quiet, self._reactor, "no end")
        await self._protocol.abort()


class FarStream:
    """
    A service at a far end, on a stream.

    @ivar answered: whether there ever was a conversation.
    """

    def __init__(
        self, address: tuple[str, int], *, reactor: Any, pacer: Pacer, seconds: Seconds, now: Callable[[], float]
    ) -> None:
        """
        @param pacer: shared by all that connect to one host.
        @param now: the time in seconds since 1970-01-01 00:00 UTC.
        """
        self._endpoint = Target("tcp", address).endpoint(reactor)
        self._reactor = reactor
        self._pacer = pacer
        self._now = now
        self.seconds = seconds
        self.answered = False

    @asynccontextmanager
    async def talk(self) -> AsyncIterator[Talk]:
        """
        Begin a conversation.

        @raise NotOffered: when there is nobody.
        """
        await self._pacer.turn()
        try:
            protocol = await connect(self._endpoint, reactor=self._reactor, timeout=self.seconds.answer)
        except Unanswered as fault:
            raise NotOffered(fault.verdict) from fault
        self.answered = True
        talk = Talk(protocol, self._reactor, self.seconds, self._now)
        try:
            yield talk
        finally:
            await talk.over()

    async def ask(self, message: bytes = b"", *, finish: bool = True, silence: float | None = None) -> Heard:
        """
        Say something, and hear all that comes.

        @param finish: end our side after it.
        @param silence: the seconds that it may be silent.
        """
        async with self.talk() as talk:
            if message:
                talk.say(message)
            if finish:
                talk.finish()
            return await talk.hear(silence=silence)

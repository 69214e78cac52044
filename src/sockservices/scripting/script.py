"""
A script as a coroutine: the steps in their order, and then the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

from sockservices.conversation.transport import Transport
from sockservices.scripting.mismatch import Mismatch
from sockservices.scripting.partial_match import firstImpossible
from sockservices.scripting.remote_peer import RemotePeer
from sockservices.scripting.script_bytes import Template, expand
from sockservices.scripting.script_framing import ReceiveMessage, receiveDatagram
from sockservices.transports.stream_reader import IncompleteRead

__all__ = ["Action", "Script"]


@dataclass(frozen=True, kw_only=True)
class Action:
    """
    A step or a rule of a script. The attributes take effect in the order in which they stand here.

    @ivar expect: bytes that the peer must send first.
    @ivar match: the pattern of what the peer must send first.
    @ivar expectEnd: whether the peer must send its FIN first.
    @ivar wait: seconds.
    @ivar send: what to send; L{None} is nothing, C{()} an empty datagram.
    @ivar finish: whether to send a FIN.
    @ivar reset: whether to reset the connection.
    @ivar count: how many times the step is done, or the rule applies; L{None} is no limit.
    """

    expect: bytes | None = None
    match: re.Pattern[bytes] | None = None
    expectEnd: bool = False
    wait: float = 0.0
    send: Template | None = None
    finish: bool = False
    reset: bool = False
    count: int | None = None

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """
        The pattern of a rule.
        """
        return self.match or re.compile(re.escape(self.expect or b""))

    async def receive(self, peer: RemotePeer) -> re.Match[bytes] | None:
        """
        Receive what the peer must send first.

        @return: the match of the pattern, if there is one.
        """
        if self.match is not None:
            return await peer.expectMatch(self.match)
        if self.expect is not None:
            await peer.expect(self.expect)
        elif self.expectEnd:
            await peer.expectEnd()
        return None

    async def reply(self, peer: RemotePeer, match: re.Match[bytes] | None) -> None:
        """
        Wait, send, and end the connection or its sending side.

        @param match: what the groups are taken from.
        """
        if self.wait:
            await peer.sleep(self.wait)
        if self.send is not None:
            await peer.send(expand(self.send, match))
        if self.finish:
            peer.finish()
        if self.reset:
            peer.abort()


async def _wholeMessage(peer: RemotePeer, receive: ReceiveMessage) -> bytes:
    """
    Receive a message. The end of the stream is expected between messages only.
    """
    try:
        return await receive(peer)
    except IncompleteRead as error:
        if error.received:
            raise AssertionError(f"expected the rest of a message that begins with {error.received!r}") from None
        raise


class Script:
    """
    A service that does what a script file says. An instance is a coroutine function: it stands where a responder class
    does. It counts the uses of its rules over all conversations.

    @ivar name: the name of the service.
    @ivar port: its default port; 0 is any free one.
    """

    def __init__(
        self, name: str, port: int, steps: Sequence[Action], rules: Sequence[Action], framing: ReceiveMessage | None
    ) -> None:
        """
        @param framing: receives a message for the rules; L{None} to match the stream itself, and whole datagrams.
        """
        self.name = name
        self.port = port
        self._steps = steps
        self._rules = [(rule, rule.pattern) for rule in rules]
        self._uses = [0] * len(rules)
        self._framing = framing

    async def __call__(self, peer: RemotePeer) -> None:
        """
        Do the steps, and then apply the rules until the peer ends.
        """
        for step in self._steps:
            for _ in repeat(None) if step.count is None else range(step.count):
                await step.reply(peer, await step.receive(peer))
        receive, isStream = self._framing, Transport(peer.conversation.transport).isStream
        if receive is None and not isStream:
            receive = receiveDatagram
        ended = not self._rules
        while not ended:
            rule, match = (
                await self._nextOnStream(peer) if receive is None else self._ruleFor(await _wholeMessage(peer, receive))
            )
            await rule.reply(peer, match)
            ended = rule.finish or rule.reset or (receive is receiveDatagram and not isStream)

    @property
    def _patterns(self) -> dict[int, re.Pattern[bytes]]:
        """
        The patterns of the rules that still apply, by the number of the rule.
        """
        uses = zip(self._rules, self._uses, strict=True)
        return {
            number: pattern
            for number, ((rule, pattern), used) in enumerate(uses)
            if rule.count is None or used < rule.count
        }

    def _use(self, number: int, match: re.Match[bytes]) -> tuple[Action, re.Match[bytes]]:
        self._uses[number] += 1
        return self._rules[number][0], match

    async def _nextOnStream(self, peer: RemotePeer) -> tuple[Action, re.Match[bytes]]:
        """
        Receive up to the end of a match.
        """
        patterns = self._patterns
        if not patterns:
            await peer.expectEnd()
            raise IncompleteRead(b"")
        try:
            match = await peer.expectAny([*patterns.values()])
        except Mismatch as mismatch:
            if mismatch.received:
                raise
            raise IncompleteRead(b"") from None
        # While this conversation waited, others may have used up a rule.
        for number, pattern in self._patterns.items():
            if pattern is match.re:
                return self._use(number, match)
        return self._ruleFor(match[0])

    def _ruleFor(self, message: bytes) -> tuple[Action, re.Match[bytes]]:
        """
        The first rule that matches a whole message.
        """
        patterns = self._patterns
        for number, pattern in patterns.items():
            if match := pattern.fullmatch(message):
                return self._use(number, match)
        offset = max((firstImpossible(pattern, message) or 0 for pattern in patterns.values()), default=0)
        expected = b"|".join(pattern.pattern for pattern in patterns.values())
        raise Mismatch(expected, message, offset, "no rule matches", pattern=True)

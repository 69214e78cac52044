"""
What a responder says, asked without any protocol, in a environment where nothing is left to chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random
from typing import Any

from twisted.internet.address import IPv4Address

from sockservices.conversation.context import Conversation
from sockservices.conversation.environment import Environment
from sockservices.conversation.responder import MakeResponder

__all__ = ["NOW", "conversation", "fixedEnvironment", "reply", "speech"]

#: 2026-11-21 00:26:40 UTC.
NOW = 1795220800.0


def fixedEnvironment(**known: Any) -> Environment:
    """
    A environment where no time passes, and chance always begins anew.

    @param known: what of L{Environment} shall be otherwise.
    """
    still = {"server": "here", "now": lambda: NOW, "random": Random(7), "users": lambda: ["ada", "grace"]}
    return Environment(**{**still, **known})


def conversation(transport: str = "tcp", limit: int | None = None, **known: Any) -> Conversation:
    """
    A conversation in a still environment.

    @param known: what of L{Environment} shall be otherwise.
    """
    peer, host = IPv4Address("TCP", "192.0.2.7", 40000), IPv4Address("TCP", "192.0.2.1", 8007)
    return Conversation(transport, peer, host, 7, limit, fixedEnvironment(**known))


def speech(make: MakeResponder, segments: Iterable[bytes]) -> Iterator[bytes]:
    """
    What is said on a stream, word by word, to a peer that sends these segments and ends. Endless talk is cut short.
    """
    responder = make(conversation())
    yield responder.greeting() or b""
    talk = None if responder.finished else responder.generate()
    if talk is not None:
        yield from islice(talk, 3)
        return
    heard = False
    for segment in segments:
        if responder.finished:
            return
        heard = True
        yield responder.answer(segment) or b""
    if responder.deadline is not None and not heard and not responder.finished:
        yield responder.answer(b"") or b""


def reply(make: MakeResponder, datagram: bytes, limit: int | None = None) -> bytes | None:
    """
    What is said to a datagram; L{None} is no reply at all.
    """
    responder = make(conversation("udp", limit))
    words = [responder.greeting()]
    if not responder.finished:
        words.append(responder.answer(datagram))
    said = [word for word in words if word is not None]
    return b"".join(said) if said else None

"""
The services of this package, written again as coroutines.
"""

from __future__ import annotations

import json
import struct
import time as clock
from typing import Any

from sockservices import RemotePeer
from sockservices.conversation.responder import Responder
from sockservices.registry import find
from sockservices.responders.chargen import MAX_REPLY, PATTERN
from sockservices.responders.quote import QUOTES
from sockservices.responders.time import UNIX_EPOCH
from sockservices.text.addresses import addressText

__all__ = ["COROUTINES"]


async def echo(peer: RemotePeer) -> None:
    """
    Send back what comes.

    >>> from sockservices.testing import converse
    >>> converse(echo).say(b"hi~")
    b'hi~'
    """
    while data := await peer.receive():
        await peer.send(data)


async def discard(peer: RemotePeer) -> None:
    """
    Send nothing.

    >>> from sockservices.testing import converse
    >>> converse(discard).say(b"hi~")
    b''
    """
    while await peer.receive():
        pass


async def upper(peer: RemotePeer) -> None:
    """
    Send back what comes in upper case.

    >>> from sockservices.testing import converse
    >>> converse(upper).say(b"hi~")
    b'HI~'
    """
    while data := await peer.receive():
        await peer.send(data.upper())


async def hello(peer: RemotePeer) -> None:
    """
    Send C{hello} for each segment.

    >>> from sockservices.testing import converse
    >>> converse(hello).say(b"hi~")
    b'hello'
    """
    while await peer.receive():
        await peer.send(b"hello")


async def greet(peer: RemotePeer) -> None:
    """
    Send C{connected}.

    >>> from sockservices.testing import converse
    >>> converse(greet).heard
    b'connected'
    """
    await peer.send(b"connected")


async def welcome(peer: RemotePeer) -> None:
    """
    Let in who knows the word.

    >>> from sockservices.testing import converse
    >>> converse(welcome).say(b"1")
    b'welcome to server!'
    """
    word = await peer.receive(timeout=5)
    await peer.send(b"welcome to server!" if word in (b"1", b"1\n", b"1\r\n") else b"please go out!")


async def daytime(peer: RemotePeer) -> None:
    """
    Send the date and time.

    >>> from sockservices.testing import converse
    >>> len(converse(daytime).heard)
    26
    """
    await peer.send(clock.asctime(clock.gmtime(peer.conversation.now())).encode("ascii") + b"\r\n")


async def time(peer: RemotePeer) -> None:
    """
    Send the seconds since 1900.

    >>> from sockservices.testing import converse
    >>> len(converse(time).heard)
    4
    """
    await peer.send(struct.pack("!I", (int(peer.conversation.now()) + UNIX_EPOCH) % 2**32))


async def qotd(peer: RemotePeer) -> None:
    """
    Send a quote.

    >>> from sockservices.testing import converse
    >>> converse(qotd).heard in QUOTES
    True
    """
    limit = peer.conversation.limit
    if fitting := [quote for quote in QUOTES if limit is None or len(quote) <= limit]:
        await peer.send(peer.conversation.random.choice(fitting))


async def users(peer: RemotePeer) -> None:
    r"""
    Send the names of the users.

    >>> from sockservices.testing import converse
    >>> converse(users).heard[:5]
    b'ada\r\n'
    """
    sent, limit = 0, peer.conversation.limit
    await peer.send(b"")
    for user in peer.conversation.users():
        line = user.encode("ascii") + b"\r\n"
        sent += len(line)
        if limit is not None and sent > limit:
            break
        await peer.send(line)


async def whoami(peer: RemotePeer) -> None:
    """
    Send the addresses of both ends.

    >>> from sockservices.testing import converse
    >>> json.loads(converse(whoami).heard)["transport"]
    'tcp'
    """
    seen = peer.conversation
    ends = {"peer": addressText(seen.peer), "host": addressText(seen.host)}
    more = {"transport": seen.transport, "serial": seen.serial, "server": seen.server}
    await peer.send(json.dumps(ends | more).encode("ascii") + b"\n")


async def chargen(peer: RemotePeer) -> None:
    """
    Send without end; to a datagram, a random length.

    >>> from sockservices.testing import converse
    >>> converse(chargen).heard[:5]
    b' !"#$'
    """
    conversation = peer.conversation
    if conversation.transport in ("udp", "unixgram"):
        await peer.send(PATTERN[: conversation.random.randint(0, MAX_REPLY)][: conversation.limit])
        return
    while not peer.ended:
        await peer.send(PATTERN)


#: The coroutines, by the names of the services.
COROUTINES: dict[str, Any] = {
    each.__name__: each
    for each in (echo, discard, upper, hello, greet, welcome, daytime, time, qotd, users, whoami, chargen)
}

for name, function in COROUTINES.items():
    original: type[Responder] = find(name)
    function.name, function.port = name, original.port
    function.message = original.message

"""
The cases of C{welcome}.
"""

from __future__ import annotations

from sockservices.conformance.cases.shared import declareAnyDatagram
from sockservices.conformance.remote_datagrams import RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.suite import Suite

__all__ = ["welcome"]

welcome = Suite("welcome", "tutorial")

WELCOME, REFUSAL = b"welcome to server!", b"please go out!"

#: The part of the deadline for which the connection has to stay open: neither the clocks nor the delays are exact.
MIN_SILENCE = 0.8


@welcome.tcp('replies "welcome to server!" to 1, then closes')
async def one(remote: RemoteStream) -> None:
    (await remote.request(b"1", halfClose=False)).expectOnly(WELCOME)


@welcome.tcp('replies "welcome to server!" to 1 and CR LF, then closes')
async def oneAndLineEnd(remote: RemoteStream) -> None:
    (await remote.request(b"1\r\n", halfClose=False)).expectOnly(WELCOME)


@welcome.tcp('replies "please go out!" to anything else, then closes')
async def anythingElse(remote: RemoteStream) -> None:
    (await remote.request(b"2", halfClose=False)).expectOnly(REFUSAL)


@welcome.tcp('replies "please go out!" to a FIN without data, then closes')
async def finWithoutData(remote: RemoteStream) -> None:
    (await remote.request(b"")).expectOnly(REFUSAL)


@welcome.tcp("closes after five seconds of silence, without data and without a reset")
async def silence(remote: RemoteStream) -> None:
    deadline = remote.timing.welcomeDeadline
    async with remote.session() as session:
        (await session.receive(timeout=deadline * MIN_SILENCE)).expectSilence()
        rest = deadline * (1 - MIN_SILENCE)
        (await session.receive(timeout=rest + remote.timing.responseTimeout)).expectOnly(b"")


declareAnyDatagram(welcome)


@welcome.udp('replies "welcome to server!" to a datagram of 1')
async def oneDatagram(remote: RemoteDatagrams) -> None:
    await remote.requestEmptyAndLong()
    for message in (b"1", b"1\r\n"):
        (await remote.request(message)).expectOnly(WELCOME)


@welcome.udp('replies "please go out!" to any other datagram')
async def otherDatagram(remote: RemoteDatagrams) -> None:
    for response in [*await remote.replies(), await remote.request(b"2")]:
        response.expectOnly(REFUSAL)

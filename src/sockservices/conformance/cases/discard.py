"""
The cases of C{discard} (RFC 863).
"""

from __future__ import annotations

from sockservices.conformance.remote_datagrams import LONG_REQUEST, RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.response import Deviation
from sockservices.conformance.suite import Suite

__all__ = ["discard"]

discard = Suite("discard", "RFC 863")


@discard.tcp("reads 64 KiB without a reply, and closes after the client's FIN")
async def reads(remote: RemoteStream) -> None:
    (await remote.request(bytes(65536))).expectOnly(b"")


@discard.tcp("stays open and sends nothing until the client's FIN")
async def staysOpen(remote: RemoteStream) -> None:
    async with remote.session() as session:
        for _ in range(2):
            session.send(LONG_REQUEST)
            (await session.receiveUnexpected()).expectSilence()
        session.halfClose()
        (await session.receive()).expectOnly(b"")


@discard.udp("replies to no datagram")
async def noReply(remote: RemoteDatagrams) -> None:
    await _expectNoReply(remote, b"", LONG_REQUEST)


@discard.udp("reads 65,507 bytes, the longest datagram over IPv4, without a reply")
async def longestDatagram(remote: RemoteDatagrams) -> None:
    await _expectNoReply(remote, bytes(65507), LONG_REQUEST)


async def _expectNoReply(remote: RemoteDatagrams, *datagrams: bytes) -> None:
    response = await remote.sendWithoutReply(*datagrams)
    if response is not None:
        raise Deviation(f"a reply: {response}", "no reply")

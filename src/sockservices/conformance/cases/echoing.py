"""
The cases of the services that echo their input: C{echo} (RFC 862) and C{upper}.
"""

from __future__ import annotations

from collections.abc import Callable

from sockservices.conformance.cases.shared import declareRepeatedReplies
from sockservices.conformance.remote_datagrams import LONG_REQUEST, RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.response import ReplyWithheld
from sockservices.conformance.suite import Suite

__all__ = ["echo", "upper"]

echo = Suite("echo", "RFC 862")
upper = Suite("upper", "tutorial")

EVERY_BYTE = bytes(range(256))

#: 200 KiB: more than the default socket buffers hold. The period of 251 bytes divides no buffer size, so that lost or
#: repeated blocks show.
LONG_MESSAGE = (bytes(range(251)) * 816)[: 200 * 1024]

#: The longest UDP payload over IPv4: 65,535 bytes less the headers of IP (20) and UDP (8).
MAX_DATAGRAM = 65507

#: A payload that fits one packet in almost every network.
USUAL_DATAGRAM = 1400


def _declareEchoing(suite: Suite, transform: Callable[[bytes], bytes] = bytes, suffix: str = "") -> None:
    """
    Declare that the service echoes its input.

    @param transform: how the service changes the data.
    @param suffix: the same as text, to follow "returns every byte".
    """

    @suite.tcp(f"returns every byte{suffix}, all 256 values")
    async def everyByte(remote: RemoteStream) -> None:
        (await remote.request(EVERY_BYTE)).expectOnly(transform(EVERY_BYTE))

    @suite.tcp(f"returns 200 KiB{suffix} in full after the client's FIN, then closes")
    async def longMessage(remote: RemoteStream) -> None:
        (await remote.request(LONG_MESSAGE)).expectOnly(transform(LONG_MESSAGE))

    declareRepeatedReplies(suite, b"ping", transform(b"ping"))

    @suite.udp("replies from the address that the request was sent to")
    async def sourceAddress(remote: RemoteDatagrams) -> None:
        # Every request raises Deviation for a reply from another address.
        await remote.requestEmptyAndLong()

    @suite.udp(f"returns every byte of a datagram{suffix}")
    async def datagram(remote: RemoteDatagrams) -> None:
        _, long = await remote.requestEmptyAndLong()
        (long or await remote.request(LONG_REQUEST)).expectOnly(transform(LONG_REQUEST))
        (await remote.request(EVERY_BYTE)).expectOnly(transform(EVERY_BYTE))

    @suite.udp("replies to an empty datagram with an empty datagram")
    async def emptyDatagram(remote: RemoteDatagrams) -> None:
        empty, _ = await remote.requestEmptyAndLong()
        (empty or await remote.request(b"")).expectOnly(b"")

    @suite.udp(f"returns {USUAL_DATAGRAM:,} bytes{suffix} in one datagram")
    async def usualDatagram(remote: RemoteDatagrams) -> None:
        (await remote.request(LONG_MESSAGE[:USUAL_DATAGRAM])).expectOnly(transform(LONG_MESSAGE[:USUAL_DATAGRAM]))

    @suite.udp(f"returns {MAX_DATAGRAM:,} bytes{suffix}, the longest datagram over IPv4")
    async def longestDatagram(remote: RemoteDatagrams) -> None:
        response = await remote.attempt(LONG_MESSAGE[:MAX_DATAGRAM])
        if response is None:
            raise ReplyWithheld("no reply", f"{MAX_DATAGRAM} bytes")
        response.expectOnly(transform(LONG_MESSAGE[:MAX_DATAGRAM]))


_declareEchoing(echo)
_declareEchoing(upper, bytes.upper, " in upper case")

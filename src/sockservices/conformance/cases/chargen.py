"""
The cases of C{chargen} (RFC 864).
"""

from __future__ import annotations

from sockservices.conformance.cases.shared import declareAnyDatagram
from sockservices.conformance.excerpt import excerpt
from sockservices.conformance.remote_datagrams import LONG_REQUEST, RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.response import Deviation, End, Response
from sockservices.conformance.suite import Suite

__all__ = ["chargen"]

chargen = Suite("chargen", "RFC 864")

#: The 95 printable characters of ASCII, from space to tilde, in order.
RING = bytes(range(0x20, 0x7F))

#: Characters of the ring in a line, without CR LF.
LINE_LENGTH = 72

#: Two periods of the pattern (95 lines of 74 bytes), in bytes.
TWO_PERIODS = 2 * len(RING) * (LINE_LENGTH + 2)

#: Bytes to receive after the input: more than socket buffers may already have held when the server read the input.
LONG_RESPONSE = 2**21

#: The maximum length of a reply to a datagram, in characters.
MAX_REPLY = 512

#: How many replies to compare: two random lengths may be equal.
SAMPLES = 5


@chargen.tcp("sends without a request")
async def sendsWithoutRequest(remote: RemoteStream) -> None:
    async with remote.session() as session:
        _expectEndless(await session.receive(1))


@chargen.tcp("ignores input: the output does not change")
async def ignoresInput(remote: RemoteStream) -> None:
    undisturbed = await _receiveLong(remote, b"")
    response = await _receiveLong(remote, LONG_REQUEST)
    if LONG_REQUEST[:LINE_LENGTH] in response.data:
        raise Deviation(
            f"the input at byte {response.data.index(LONG_REQUEST[:LINE_LENGTH])}", "no input in the output"
        )
    period = _period(undisturbed.data)
    if period:
        Response(response.data[period:]).expectData(response.data[:-period])


async def _receiveLong(remote: RemoteStream, data: bytes) -> Response:
    async with remote.session() as session:
        session.send(data)
        response = await session.receive(LONG_RESPONSE)
    _expectEndless(response)
    return response


@chargen.tcp("sends lines of 72 characters and CR LF, each one step further along the ring of 95")
async def pattern(remote: RemoteStream) -> None:
    async with remote.session() as session:
        response = await session.receive(TWO_PERIODS)
    # The last line is incomplete.
    *lines, _ = response.data.split(b"\r\n")
    response.expect(lines, f"lines of {LINE_LENGTH} characters and CR LF")
    for line in lines:
        if len(line) != LINE_LENGTH:
            raise Deviation(f"a line of {len(line)}: {excerpt(line)}", f"lines of {LINE_LENGTH} characters")
    missing = bytes(sorted(set(RING) - set(b"".join(lines))))
    if missing:
        raise Deviation(f"no {excerpt(missing)} in any line", "all 95 printable characters")
    start = RING.find(lines[0][:1])
    for number, line in enumerate(lines, start):
        Response(line).expectData((RING * 2)[number % len(RING) :][:LINE_LENGTH])


@chargen.tcp("still sends after other clients have reset their connections")
async def survivesResets(remote: RemoteStream) -> None:
    for _ in range(3):
        async with remote.session() as session:
            _expectEndless(await session.receive(TWO_PERIODS))


def _expectEndless(response: Response) -> None:
    response.expect(response.end is End.MORE, "endless data")


def _period(data: bytes) -> int:
    """
    Find the length of the shortest sequence that the data repeats; 0 if there is none.
    """
    start = data[:TWO_PERIODS]
    period = next((index for index in range(1, len(start) - LINE_LENGTH) if start.startswith(start[index:])), 0)
    return period if data.startswith(data[period:]) else 0


declareAnyDatagram(chargen)


@chargen.udp("replies with at most 512 characters")
async def size(remote: RemoteDatagrams) -> None:
    for response in await remote.replies(SAMPLES):
        if len(response.data) > MAX_REPLY:
            raise Deviation(f"{len(response.data)} characters", f"0 to {MAX_REPLY}")


@chargen.udp("replies with a random number of characters")
async def randomLength(remote: RemoteDatagrams) -> None:
    lengths = {len(response.data) for response in await remote.replies(SAMPLES)}
    if len(lengths) == 1:
        raise Deviation(f"{lengths.pop()} characters each time", f"0 to {MAX_REPLY}, a different number each time")


@chargen.udp("replies with printable ASCII and line ends")
async def printable(remote: RemoteDatagrams) -> None:
    for response in await remote.replies(SAMPLES):
        response.expectPrintable()

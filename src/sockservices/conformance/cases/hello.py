"""
The cases of C{hello}.
"""

from __future__ import annotations

from sockservices.conformance.cases.shared import declareAnyDatagram, declareRepeatedReplies
from sockservices.conformance.remote_datagrams import RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.suite import Suite

__all__ = ["hello"]

hello = Suite("hello", "tutorial")

HELLO = b"hello"


@hello.tcp('replies "hello" to a message, and closes after the client\'s FIN')
async def message(remote: RemoteStream) -> None:
    (await remote.request(b"hi~")).expectOnly(HELLO)


declareRepeatedReplies(hello, b"hi~", HELLO)
declareAnyDatagram(hello)


@hello.udp('replies "hello" to any datagram')
async def datagram(remote: RemoteDatagrams) -> None:
    for response in [*await remote.replies(), await remote.request(b"hi~")]:
        response.expectOnly(HELLO)

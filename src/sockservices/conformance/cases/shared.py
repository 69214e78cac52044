"""
The cases that several services share.
"""

from __future__ import annotations

from sockservices.conformance.remote_datagrams import LONG_REQUEST, RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.response import Deviation, ReplyWithheld, Response
from sockservices.conformance.suite import Suite

__all__ = ["declareAnyDatagram", "declareRepeatedReplies", "declareSendAndClose"]

#: A server that closes a socket with unread input resets the connection (RFC 1122, section 4.2.2.13). Whether the input
#: arrives before the close is a race, so the case is repeated.
REPETITIONS = 8


def declareSendAndClose(suite: Suite, *, mayBeEmpty: bool = False, anyDatagram: bool = True) -> None:
    """
    Declare that the service sends data without a request and closes.

    @param mayBeEmpty: whether the data may be empty.
    @param anyDatagram: whether the reply fits the size limit of an empty datagram.
    """

    def expectDataAndEof(response: Response) -> None:
        response.expectEof()
        response.expect(response.data or mayBeEmpty, "a response, then eof")

    @suite.tcp("sends without a request, then closes")
    async def sendsAndCloses(remote: RemoteStream) -> None:
        expectDataAndEof(await remote.request(halfClose=False))

    @suite.tcp("ignores input, and closes without a reset")
    async def ignoresInput(remote: RemoteStream) -> None:
        for _ in range(REPETITIONS):
            expectDataAndEof(await remote.request(LONG_REQUEST))

    if anyDatagram:
        declareAnyDatagram(suite)


def declareAnyDatagram(suite: Suite) -> None:
    """
    Declare that the service replies to any datagram.
    """

    @suite.udp("replies to any datagram, empty or 512 bytes long")
    async def anyDatagram(remote: RemoteDatagrams) -> None:
        empty, long = await remote.requestEmptyAndLong()
        if long is None:
            raise Deviation("a reply to an empty datagram, no reply to 512 bytes", "a reply to each")
        if empty is None:
            raise ReplyWithheld("a reply to 512 bytes, no reply to an empty datagram", "a reply to each")


def declareRepeatedReplies(suite: Suite, message: bytes, reply: bytes) -> None:
    """
    Declare that the service replies to each message, sends nothing before the first, and closes after the client's FIN.
    """

    @suite.tcp("sends nothing before it receives data")
    async def waits(remote: RemoteStream) -> None:
        async with remote.session() as session:
            (await session.receiveUnexpected()).expectSilence()

    @suite.tcp("stays open after a reply, and sends another")
    async def repliesAgain(remote: RemoteStream) -> None:
        async with remote.session() as session:
            for _ in range(2):
                session.send(message)
                (await session.receive(len(reply))).expectData(reply)
            session.halfClose()
            (await session.receive()).expectOnly(b"")

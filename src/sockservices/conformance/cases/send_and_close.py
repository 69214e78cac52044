"""
The cases of services that send data without a request and close: C{daytime}, C{time} and the like.
"""

from __future__ import annotations

from sockservices.conformance.cases.any_datagram import declareAnyDatagram
from sockservices.conformance.exceptions import Deviation
from sockservices.conformance.remote_datagrams import LONG_REQUEST
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.response import Response
from sockservices.conformance.suite import Suite

__all__ = ["declareSendAndClose"]

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
        if not (response.data or mayBeEmpty):
            raise Deviation(str(response), "a response, then eof")

    @suite.tcp("sends without a request, then closes")
    async def sendsAndCloses(remote: RemoteStream) -> None:
        expectDataAndEof(await remote.request(halfClose=False))

    @suite.tcp("ignores input, and closes without a reset")
    async def ignoresInput(remote: RemoteStream) -> None:
        for _ in range(REPETITIONS):
            expectDataAndEof(await remote.request(LONG_REQUEST))

    if anyDatagram:
        declareAnyDatagram(suite)

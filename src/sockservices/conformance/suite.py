"""
The declaration of cases.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from sockservices.conformance.remote_datagrams import RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.response import Response

__all__ = ["Case", "Suite"]


class Case(NamedTuple):
    """
    One requirement, and the test for it.

    @ivar sentence: the behaviour of a conforming service.
    @ivar run: tests a L{RemoteStream} or L{RemoteDatagrams}, and raises
        L{Deviation<sockservices.conformance.response.Deviation>} if the service does not conform, or
        L{RequestFailed<sockservices.client.RequestFailed>} if there is no such service on the port.
    """

    sentence: str
    run: Callable[[Any], Coroutine[Any, Any, None]]


class Suite:
    """
    The cases of one service.

    @ivar service: the service's name.
    @ivar source: the origin of the requirements: an RFC, C{"tutorial"}, or C{"this project"}.
    @ivar cases: by transport (C{"tcp"}, C{"udp"}), in the order in which they run.
    """

    def __init__(self, service: str, source: str) -> None:
        self.service = service
        self.source = source
        self.cases: dict[str, list[Case]] = {"tcp": [], "udp": []}

    def tcp(self, sentence: str) -> Callable[[Callable[[RemoteStream], Awaitable[None]]], None]:
        """
        Declare the decorated function as a case over TCP.
        """
        return self._case("tcp", sentence)

    def udp(self, sentence: str) -> Callable[[Callable[[RemoteDatagrams], Awaitable[None]]], None]:
        """
        Declare the decorated function as a case over UDP.
        """
        return self._case("udp", sentence)

    def _case(self, transport: str, sentence: str) -> Callable[[Any], None]:
        return lambda run: self.cases[transport].append(Case(sentence, run))

    def response(self, sentence: str) -> Callable[[Callable[[Response], None]], None]:
        """
        Declare two cases, one per transport, of a response that depends on no request. The decorated function raises
        L{Deviation<sockservices.conformance.response.Deviation>} if the response does not conform.
        """

        def declare(expect: Callable[[Response], None]) -> None:
            @self.tcp(sentence)
            async def overTcp(remote: RemoteStream) -> None:
                expect(await remote.request(halfClose=False))

            @self.udp(sentence)
            async def overUdp(remote: RemoteDatagrams) -> None:
                for response in await remote.replies():
                    expect(response)

        return declare

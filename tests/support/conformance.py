"""
Servers for the conformance cases, right and wrong, and checks of them in one reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

from sockservices import DatagramResponder, Policy, Responder, StreamFactory
from sockservices.conformance import Result, Row, Seconds, check
from sockservices.conversation.responder import MakeResponder
from tests.support.inetd import freePorts
from tests.support.loop import LoopCase

__all__ = ["LOOPBACK", "NOW", "QUICK", "Calling", "ConformanceCase", "Replying", "calling", "saying"]

#: Short enough for tests, and long enough for a busy machine.
QUICK = Seconds(answer=0.3, silence=0.3, connections=0, datagrams=0)

#: What our services say of the time, and what time it is to be taken for.
NOW = 1795220800.0

LOOPBACK = "127.0.0.1"

#: The limits, as they usually are.
DEFAULT = Policy()


def saying(
    opening: bytes | None = None, answer: Callable[[bytes], bytes | None] = lambda _: None, *, end: bool = False
) -> type[Responder]:
    """
    A responder that says this, and perhaps ends the conversation after its opening, or else its first answer.
    """

    class Saying(Responder):
        """
        Says what it was made for.
        """

        name = "saying"

        def greeting(self) -> bytes | None:
            """
            Speak first, or not.
            """
            self.finished = end and opening is not None
            return opening

        def answer(self, message: bytes) -> bytes | None:
            """
            Speak.
            """
            self.finished = end
            return answer(message)

    return Saying


class Calling(Protocol):
    """
    A conversation with nothing of what our own have: no half-close, no limits.
    """

    def __init__(self, made: Callable[[Any], object], heard: Callable[[Any, bytes], object]) -> None:
        self._made = made
        self._heard = heard

    def connectionMade(self) -> None:
        """
        Do what there is to do first.
        """
        self._made(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Do what there is to do with a segment.
        """
        self._heard(self.transport, data)


def calling(
    made: Callable[[Any], object] = lambda transport: None,
    heard: Callable[[Any, bytes], object] = lambda transport, data: None,
) -> Factory:
    """
    Makes conversations that call these functions with their transport.
    """
    return Factory.forProtocol(lambda: Calling(made, heard))


class Replying(DatagramProtocol):
    """
    Calls a function with each datagram and where it came from.
    """

    noisy = False
    transport: Any

    def __init__(self, heard: Callable[[bytes, Any], object]) -> None:
        self._heard = heard

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Do what there is to do with a datagram.
        """
        self._heard(datagram, addr)


class ConformanceCase(LoopCase):
    """
    A test with servers and checks in one reactor.
    """

    def listen(self, streams: Factory | None, datagrams: DatagramProtocol | None) -> int:
        """
        Serve, on one port over TCP and UDP.
        """
        (port,) = freePorts(1)
        if streams is not None:
            streams.noisy = False
            self.reactor.listenTCP(port, streams, interface=LOOPBACK)
        if datagrams is not None:
            self.reactor.listenUDP(port, datagrams, interface=LOOPBACK, maxPacketSize=2**17)
        return port

    def serve(
        self,
        responder: MakeResponder,
        policy: Policy = DEFAULT,
        *,
        tcp: bool = True,
        udp: bool = True,
    ) -> int:
        """
        Serve a responder.
        """
        return self.listen(
            StreamFactory(responder, policy, lambda visit: None, self.reactor) if tcp else None,
            DatagramResponder(responder, policy, clock=self.reactor) if udp else None,
        )

    def check(self, ports: dict[str, int], seconds: Seconds = QUICK, **more: Any) -> list[Row]:
        """
        Check services of this host.
        """
        rows: list[Row] = self.wait(check(LOOPBACK, ports, reactor=self.reactor, seconds=seconds, **more))
        return rows

    def assertFaults(self, service: str, port: int, *faults: tuple[str, str, str]) -> list[Row]:
        """
        These rows of a service do not pass, and no others: for each the transport, its sentence, and what was seen.

        @return: the rows that do not pass.
        """
        rows = [row for row in self.check({service: port}) if row.result is not Result.PASS]
        self.assertEqual([(row.transport, row.sentence, row.seen) for row in rows], [*faults], service)
        return rows

"""
Servers for the conformance cases, correct and deviant, in the same reactor as the check.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Sequence
from select import select
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import Clock

from sockservices import DatagramResponder, Policy, Responder, StreamFactory
from sockservices.conformance import Result, Row, Timing, check
from sockservices.conversation.responder import MakeResponder
from tests.support.inetd import freePorts
from tests.support.loop import TIMEOUT, LoopCase

__all__ = [
    "LOOPBACK",
    "QUICK",
    "CallbackDatagrams",
    "CallbackProtocol",
    "ConformanceCase",
    "callbackFactory",
    "responderOf",
]

#: Short timeouts, and no intervals.
QUICK = Timing(responseTimeout=0.3, welcomeDeadline=0.3, connectionInterval=0, datagramInterval=0)

LOOPBACK = "127.0.0.1"

DEFAULT_POLICY = Policy()

#: Seconds without an event after which the reactor is idle. The kernel may deliver data over loopback with a delay.
IDLE_TIME = 0.02

#: Seconds of the clock for one turn of the reactor.
ONE_TURN = 0.0002


def responderOf(
    greeting: bytes | None = None, answer: Callable[[bytes], bytes | None] = lambda _: None, *, close: bool = False
) -> type[Responder]:
    """
    Make a responder class.

    @param close: close the conversation after the greeting, or else after the first answer.
    """

    class Scripted(Responder):
        name = "scripted"

        def greeting(self) -> bytes | None:
            self.finished = close and greeting is not None
            return greeting

        def answer(self, message: bytes) -> bytes | None:
            self.finished = close
            return answer(message)

    return Scripted


class CallbackProtocol(Protocol):
    """
    A stream protocol without half-close and limits, which calls functions with its transport.
    """

    def __init__(self, connected: Callable[[Any], object], received: Callable[[Any, bytes], object]) -> None:
        self._connected = connected
        self._received = received

    def connectionMade(self) -> None:
        """
        Call C{connected(transport)}.
        """
        self._connected(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Call C{received(transport, segment)}.
        """
        self._received(self.transport, data)


def callbackFactory(
    connected: Callable[[Any], object] = lambda transport: None,
    received: Callable[[Any, bytes], object] = lambda transport, data: None,
) -> Factory:
    """
    Make a factory of L{CallbackProtocol}.
    """
    return Factory.forProtocol(lambda: CallbackProtocol(connected, received))


class CallbackDatagrams(DatagramProtocol):
    """
    A datagram protocol that calls a function with each datagram and its source.
    """

    noisy = False
    transport: Any

    def __init__(self, received: Callable[[bytes, Any], object] = lambda datagram, address: None) -> None:
        self._received = received

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Call C{received(datagram, address)}.
        """
        self._received(datagram, addr)


class ConformanceCase(LoopCase):
    """
    A test case with servers and checks in one reactor. Its clock does not depend on the speed of the machine, and
    timeouts take little real time: the clock advances a little in each turn, and to the next call while no socket has
    an event.
    """

    def makeReactor(self) -> Any:
        """
        Make a reactor with a clock of its own.
        """
        reactor = super().makeReactor()
        self.clock = clock = Clock()
        reactor.seconds, reactor.getDelayedCalls = clock.seconds, clock.getDelayedCalls
        # Without a delay, Clock would run a chain of calls at once. A reactor runs one of them in each turn.
        reactor.callLater = lambda delay, *call, **options: clock.callLater(max(delay, ONE_TURN), *call, **options)
        return reactor

    def until(self, condition: Callable[[], object]) -> None:
        """
        Iterate the reactor until a condition is true, and advance the clock.
        """
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), deadline, "the condition did not become true")
            self.turn()
            calls = [call.getTime() for call in self.clock.getDelayedCalls()]
            delay = min(calls, default=0.0) - self.clock.seconds()
            idle = delay > 2 * ONE_TURN and not select([self.reactor._poller], [], [], IDLE_TIME)[0]
            self.clock.advance(delay if idle else ONE_TURN)

    def listen(self, streams: Factory | None = None, datagrams: DatagramProtocol | None = None) -> int:
        """
        Listen on one free port over TCP, UDP or both.
        """
        (port,) = freePorts(1)
        if streams is not None:
            streams.noisy = False
            self.reactor.listenTCP(port, streams, interface=LOOPBACK)
        if datagrams is not None:
            self.reactor.listenUDP(port, datagrams, interface=LOOPBACK, maxPacketSize=2**17)
        return port

    def fillBacklog(self, port: int) -> socket.socket:
        """
        Listen on a TCP port with a full backlog, so that the kernel ignores connection requests.

        @return: the listening socket.
        """
        listening: socket.socket = self.closeLater(socket.socket())
        listening.bind((LOOPBACK, port))
        listening.listen(0)
        self.connect((LOOPBACK, port))
        return listening

    def serve(
        self, responder: MakeResponder, policy: Policy = DEFAULT_POLICY, *, tcp: bool = True, udp: bool = True
    ) -> int:
        """
        Serve a responder on one free port over TCP, UDP or both.
        """
        return self.listen(
            StreamFactory(responder, policy, lambda visit: None, self.reactor) if tcp else None,
            DatagramResponder(responder, policy, clock=self.reactor) if udp else None,
        )

    def check(self, ports: dict[str, int], timing: Timing = QUICK, **options: Any) -> list[Row]:
        """
        Check services of this host.
        """
        rows: list[Row] = self.wait(check(LOOPBACK, ports, reactor=self.reactor, timing=timing, **options))
        return rows

    def assertFailing(
        self, service: str, *servers: tuple[int, Sequence[str]], timing: Timing = QUICK, **options: Any
    ) -> list[list[Row]]:
        """
        Check that exactly the given cases of each server fail. A transport that is not offered is ignored. The servers
        are checked at the same time.

        @param servers: for each its port, and its failing rows as C{"tcp part of the sentence -> observed behaviour"};
            C{...} stands for any text.
        @return: the rows that fail.
        """
        found = []
        checks = [
            check(LOOPBACK, {service: port}, reactor=self.reactor, timing=timing, **options) for port, _ in servers
        ]
        for rows, (_, expected) in zip(self.wait(gatherResults(checks)), servers, strict=True):
            offered = [row for row in rows if row.result is not Result.NOT_OFFERED]
            self.assertTrue(offered, service)
            failing = [row for row in offered if row.result is not Result.PASS]
            self.assertEqual(len(failing), len(expected), failing)
            for row, text in zip(failing, expected, strict=True):
                transport, sentence, seen = re.fullmatch(r"(tcp|udp) (.*) -> (.*)", text, re.S).groups()  # type: ignore[union-attr]
                self.assertEqual(row.transport, transport, row)
                self.assertIn(sentence, row.sentence)
                self.assertRegex(row.seen, rf"(?s)\A{re.escape(seen).replace(re.escape('...'), '.*')}\Z")
            found.append(failing)
        return found

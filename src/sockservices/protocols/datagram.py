"""
Conversations of one datagram and its reply: over UDP and Unix datagrams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from sockservices.admission.census import Census
from sockservices.admission.datagram_rules import inode, refusal, unixRefusal
from sockservices.conversation.context import Conversation
from sockservices.conversation.environment import Environment
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder, serviceName
from sockservices.conversation.visit import Visit
from sockservices.monitoring.recorders import Record, recordVisit
from sockservices.protocols.timer import globalClock
from sockservices.text.addresses import addressText
from sockservices.text.exceptions import faultText

__all__ = ["DatagramResponder"]

log = Logger("sockservices")

#: Looked up for every datagram; as a member of its class that would take longer than some of the guards.
DONE = Outcome.DONE

#: A reply may have as many bytes, even if the request had fewer: nobody gains much by 40, and the time of day fits.
FLOOR = 40

#: More than any datagram has, in bytes: what is read at most where there is no limit.
BIGGEST = 2**18

#: The most bytes of a reply over IP where RFC sizes are asked for.
MOST = 65507

#: Seconds between two lines in the log about datagrams dropped for one reason.
SILENCE = 10.0


def peerOf(addr: Any) -> tuple[str, IAddress | None]:
    """
    The word for the transport, and the peer as an address.

    @param addr: as the transport has it.
    """
    if not isinstance(addr, tuple):
        return "unixgram", UNIXAddress(addr) if addr else None
    return "udp", (IPv6Address if ":" in addr[0] else IPv4Address)("UDP", addr[0], addr[1])


class _Conversation(Conversation):
    """
    One that is used for every datagram in turn: what most responders never ask for is worked out when they do.

    @ivar addr: the peer, as the transport has it.
    """

    __slots__ = ("addr",)

    addr: Any

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.host = None

    @property
    def transport(self) -> str:  # type: ignore[override]
        """
        The word for the transport.
        """
        return peerOf(self.addr)[0]

    @property
    def peer(self) -> IAddress | None:  # type: ignore[override]
        """
        The remote address.
        """
        return peerOf(self.addr)[1]


class DatagramResponder(DatagramProtocol):
    """
    Answers each datagram by itself: at most once, and over IP never with more bytes than it had, or 40.

    All that it needs of its transport is C{write(data, address)}; one that has C{reply(data)} may send later.
    """

    noisy = False
    transport: Any

    def __init__(
        self,
        responder: MakeResponder,
        policy: Policy = Policy(),  # noqa: B008 (it is frozen)
        record: Record | None = None,
        clock: IReactorTime | None = None,
        census: Census | None = None,
    ) -> None:
        """
        @param responder: a L{Responder} class, or anything that makes one for a conversation.
        @param policy: the limits.
        @param record: called with a L{Visit} for each datagram, answered or dropped; by default they are counted only.
        @param clock: the reactor, or a L{twisted.internet.task.Clock}; by default the global reactor, once needed.
        @param census: where datagrams are counted; give the same one to all listeners whose limits are shared.
        """
        self.responder = responder
        self.policy = policy
        self.record = record
        self.census = Census() if census is None else census
        self._floor = MOST if policy.udpRfcSize else FLOOR
        self._clock = clock
        self._conversation = _Conversation(self.census.environment)
        self._reply: Callable[[bytes], object] | None = None
        self._unsure: list[tuple[int, Any, int, int]] = []  # replies of which it is not known whether they were sent
        self._port: int | None = None
        self._inode: tuple[int, int] | None = None
        self._silentUntil: dict[Outcome, float] = {}

    @property
    def clock(self) -> IReactorTime:
        """
        The clock of the rates.
        """
        if self._clock is None:
            self._clock = globalClock()
        return self._clock

    def startProtocol(self) -> None:
        """
        Count the transport's port among the server's own, and have datagrams read whole.
        """
        # One byte more than is answered, so that a datagram that was cut can be told from one that fits.
        self.transport.maxPacketSize = min(self.policy.udpMax or BIGGEST, BIGGEST) + 1
        getHost = getattr(self.transport, "getHost", None)
        host = None if getHost is None else getHost()
        self._reply = getattr(self.transport, "reply", None)
        self._conversation.host = host
        self._port = getattr(host, "port", None)
        if self._port is not None:
            self.census.udpPorts[self._port] += 1
        self._inode = inode(getattr(host, "name", None))
        if self._inode is not None:
            self.census.unixSockets.add(self._inode)

    def stopProtocol(self) -> None:
        """
        The port is closed.
        """
        if self._port is not None:
            self.census.udpPorts -= Counter([self._port])
            self._port = None
        if self._inode is not None:
            self.census.unixSockets.discard(self._inode)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Answer a datagram, or drop it and count why.

        @param addr: the source: host and port, or the path of a Unix socket, or L{None} if that has none.
        """
        serial = self.census.serial()
        reply, sent = None, 0
        outcome = self._refusal(datagram, addr)
        if outcome is None:
            outcome, reply = self._ask(datagram, addr, serial)
        if reply is not None:
            sent = len(reply)
            if self._reply is not None:
                self._unsure.append((serial, addr, len(datagram), sent))
                self._reply(reply)
                return
            try:
                self.transport.write(reply, addr)
            except (OSError, TypeError, ValueError, MessageLengthError) as fault:
                outcome, sent = self._drop(Outcome.UNSENT, addr, faultText(fault)), 0
        self._count(serial, addr, len(datagram), sent, outcome)

    def datagramsSent(self, count: int, faults: Mapping[int, Exception]) -> None:
        """
        So many replies were sent that had been handed to the transport's C{reply}, but for those that have a fault.
        """
        unsure, self._unsure = self._unsure, []
        if self.record is None and not faults:
            self.census.outcomes[DONE] += count
            return
        for number, (serial, addr, received, sent) in enumerate(unsure):
            outcome, fault = DONE, faults.get(number)
            if fault is not None:
                outcome, sent = self._drop(Outcome.UNSENT, addr, faultText(fault)), 0
            self._count(serial, addr, received, sent, outcome)

    def _count(self, serial: int, addr: Any, received: int, sent: int, outcome: Outcome) -> None:
        self.census.outcomes[outcome] += 1
        if self.record is not None:
            kind, peer = peerOf(addr)
            recordVisit(
                self.record, Visit(serviceName(self.responder), kind, peer, serial, 0.0, received, sent, outcome)
            )

    def _refusal(self, datagram: bytes, addr: Any) -> Outcome | None:
        """
        Why it is dropped unread, if it is.
        """
        outcome = None
        if isinstance(addr, tuple):
            outcome = refusal(addr[0], addr[1], getattr(self.transport, "destination", None), self.census.udpPorts)
        elif addr is not None:
            outcome = unixRefusal(addr, self.census.unixSockets)
        if outcome is None and 0 < self.policy.udpMax < len(datagram):
            outcome = Outcome.TOO_LONG
        if outcome is not None:
            self._drop(outcome, addr)
        return outcome

    def _ask(self, datagram: bytes, addr: Any, serial: int) -> tuple[Outcome, bytes | None]:
        """
        Ask the responder.

        @return: what is to become of the datagram, and the reply if there is to be one.
        """
        conversation = self._conversation
        conversation.addr, conversation.serial = addr, serial
        limit = None
        if isinstance(addr, tuple):
            limit = len(datagram)
            if limit < self._floor:
                limit = self._floor
        conversation.limit = limit
        try:
            responder = self.responder(conversation)
            reply = responder.greeting()
            if not responder.finished:
                words = responder.answer(datagram)
                reply = words if reply is None else reply + (words or b"")
            length = 0 if reply is None else len(reply)
        except Exception as fault:
            return self._drop(Outcome.ERROR, addr, faultText(fault)), None
        if reply is None:
            return DONE, None
        if addr is None:
            return self._drop(Outcome.UNNAMED, addr), None
        if limit is not None:
            if length > limit:
                return self._drop(Outcome.WITHHELD, addr), None
            if not self.census.mayReply(addr[0], self.policy, (self._clock or self.clock).seconds()):
                return self._drop(Outcome.OVER_RATE, addr), None
        return DONE, reply

    def _drop(self, outcome: Outcome, addr: Any, cause: str = "") -> Outcome:
        """
        Say in the log what becomes of a datagram, unless it was said already a moment ago.
        """
        now = self.clock.seconds()
        if now >= self._silentUntil.get(outcome, now):
            self._silentUntil[outcome] = now + SILENCE
            kind, peer = peerOf(addr)
            log.info(
                "{service} {transport} {peer} not answered: {reason}{cause} (one line for many in {seconds:.0f} s)",
                service=serviceName(self.responder),
                transport=kind,
                peer=addressText(peer) or "-",
                reason=outcome.value,
                cause=cause and f", {cause}",
                seconds=SILENCE,
            )
        return outcome

"""
A port over a UDP socket that moves datagrams many at a time.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from twisted.internet.protocol import AbstractDatagramProtocol

from sockservices.transports.datagram_port import UDPPort, destinationOf, peerName
from sockservices.transports.recvmmsg import MAX_BATCH, BatchReceiver, controlMessages
from sockservices.transports.sockets import BoundSocket

__all__ = ["BatchedUDPPort"]

#: Datagrams in one call after which others are likely to have come meanwhile: they are asked for at once, which costs
#: less than a turn of the reactor.
BUSY = 8

#: Names and destinations that are remembered, each.
MOST = 4096

#: UDP_SEGMENT of Linux 4.18 (udp(7)): one call hands over several datagrams of one size for one peer, and they take the
#: kernel's way through the network together. On the wire they are what they would be one by one.
SOL_UDP, UDP_SEGMENT = 17, 103

#: Datagrams of more bytes are sent one by one: they may have to be fragmented, as everywhere one of 1280 need not
#: (RFC 8200 5), and IPv6 and UDP take 48 of these.
SEGMENT = 1232

#: The most bytes that go together: what one datagram might have, IPv6 options aside.
TOGETHER = 65000

_SIZE = struct.Struct("@H")

#: What is asked of the kernel for the reply: level, kind and bytes of a control message, if any.
Pktinfo: TypeAlias = tuple[int, int, bytes] | None


class _Known(dict[bytes, Any]):
    """
    What bytes from the kernel mean, worked out once for each.
    """

    def __init__(self, meaning: Callable[[bytes], Any]) -> None:
        self._meaning = meaning

    def __missing__(self, words: bytes) -> Any:
        if len(self) >= MOST:
            self.clear()
        self[words] = meaning = self._meaning(words)
        return meaning


def _peer(name: bytes) -> tuple[tuple[str, int], bool]:
    """
    The peer of a struct sockaddr_in or sockaddr_in6, and whether it is link-local.
    """
    port = int.from_bytes(name[2:4], "big")
    if len(name) < 28:
        return peerName(socket.inet_ntop(socket.AF_INET, name[4:8]), port, 0), False
    (scope,) = struct.unpack_from("@I", name, 24)
    return peerName(socket.inet_ntop(socket.AF_INET6, name[8:24]), port, scope), bool(scope)


class _Run:
    """
    Replies of one size to one peer.

    @ivar room: how many more there may be.
    @ivar refused: whether the kernel would not take them together.
    """

    __slots__ = ("numbers", "peer", "pktinfo", "refused", "replies", "room", "size")

    def __init__(self, size: int, peer: Any, pktinfo: Pktinfo, room: int) -> None:
        self.size, self.peer, self.pktinfo, self.room = size, peer, pktinfo, room
        self.replies: list[bytes] = []
        self.numbers: list[int] = []
        self.refused = False


class BatchedUDPPort(UDPPort):
    """
    Receives up to 64 datagrams by one call, and sends their replies when all have been served, those to one peer
    together.

    A protocol that has C{datagramsSent} may use L{reply}.
    """

    _receiver: BatchReceiver | None = None
    _batch: Iterator[tuple[bytes, bytes, bytes]] = iter(())
    _peer: Any = None

    def __init__(self, opened: BoundSocket, protocol: AbstractDatagramProtocol, reactor: Any) -> None:
        super().__init__(opened, protocol, reactor)
        self._runs: list[_Run] = []
        self._latest: dict[Any, _Run] = {}
        self._replies = 0
        self._peers = _Known(_peer)
        self._destinations = _Known(lambda control: destinationOf(controlMessages(control), False, self._only))
        self._scoped = _Known(lambda control: destinationOf(controlMessages(control), True, self._only))
        self._segments = True

    def _read(self, most: int) -> None:
        # Who stops the port while a datagram is being received comes here again, and goes on where this one was.
        self._serve()
        if self._receiver is None:
            # Only now: it is by the protocol how long datagrams may be.
            self._receiver = BatchReceiver(self.family, self.maxPacketSize)
        while most > 0 and self.connected:
            try:
                received = self._receiver.receive(self.socket.fileno(), min(most, MAX_BATCH))
            except BlockingIOError:
                break
            except OSError:
                # The network's answer to an earlier reply (ICMP), or no memory. The next read may go well.
                self.errors += 1
                most -= 1
                continue
            self._batch = iter(received)
            self._serve()
            if len(received) < BUSY:
                break
            most -= len(received)
        self.destination = self._pktinfo = self._peer = None

    def _serve(self) -> None:
        received = self.protocol.datagramReceived
        for datagram, name, control in self._batch:
            if not self.connected:
                break
            self._peer, scoped = self._peers[name]
            self.destination, self._pktinfo = (self._scoped if scoped else self._destinations)[control]
            try:
                received(datagram, self._peer)
            except Exception as fault:
                self._raised(fault)
        if self._runs:
            self._send()

    def reply(self, datagram: bytes) -> None:
        """
        Answer the datagram that is being received, in a moment. C{datagramsSent} of the protocol is told how that went.
        """
        size, peer = len(datagram), self._peer
        run = self._runs[-1] if self._runs else None
        if run is None or run.peer is not peer:
            run = self._latest.get(peer)
        if run is None or run.size != size or run.room <= 0 or run.pktinfo is not self._pktinfo:
            together = self._segments and 0 < size <= SEGMENT
            run = _Run(size, peer, self._pktinfo, min(MAX_BATCH, TOGETHER // size) if together else 1)
            self._latest[peer] = run
            self._runs.append(run)
        run.room -= 1
        run.replies.append(datagram)
        run.numbers.append(self._replies)
        self._replies += 1

    def _send(self) -> None:
        runs, self._runs = self._runs, []
        count, self._replies = self._replies, 0
        self._latest.clear()
        faults: dict[int, Exception] = {}
        for run in runs:
            if len(run.replies) == 1 or not self._segments or not self._sentTogether(run):
                self._sendEach(run, faults)
        try:
            self.protocol.datagramsSent(count, faults)  # type: ignore[attr-defined]
        except Exception as fault:
            self._raised(fault)

    def _sendEach(self, run: _Run, faults: dict[int, Exception]) -> None:
        self._pktinfo = run.pktinfo
        sent = 0
        for number, datagram in zip(run.numbers, run.replies, strict=True):
            try:
                self.write(datagram, run.peer)
                sent += 1
            except (OSError, TypeError, ValueError) as fault:
                faults[number] = fault
        if sent > 1 and run.refused:
            # An older kernel, or an interface that cannot: one by one they go.
            self._segments = False

    def _sentTogether(self, run: _Run) -> bool:
        ancillary = [(SOL_UDP, UDP_SEGMENT, _SIZE.pack(run.size))]
        if run.pktinfo is not None:
            ancillary.append(run.pktinfo)
        try:
            self.socket.sendmsg(run.replies, ancillary, 0, run.peer)
        except BlockingIOError:
            return False  # Some of them may still find room.
        except (OSError, TypeError, ValueError):
            run.refused = True
            return False
        return True

"""
A port over a UDP socket that moves datagrams many at a time.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

from twisted.internet.protocol import AbstractDatagramProtocol

from sockservices.transports.datagram_port import PortRoute, UDPPort
from sockservices.transports.pktinfo import destinationOf, peerName
from sockservices.transports.reactor import Reactor
from sockservices.transports.recvmmsg import MAX_BATCH, NAME_SIZES, BatchReceiver, controlMessages
from sockservices.transports.reply_route import SEND_ERRORS
from sockservices.transports.sockets import BoundSocket

__all__ = ["BatchedUDPPort"]

#: Datagrams in one call after which others are likely to have come meanwhile: they are asked for at once, which costs
#: less than a turn of the reactor.
MIN_BUSY_BATCH = 8

#: The most routes that are remembered.
MAX_ROUTES = 4096

#: UDP_SEGMENT of Linux 4.18 (udp(7)): one call hands over several datagrams of one size for one peer, and they take the
#: kernel's way through the network together. On the wire they are what they would be one by one.
SOL_UDP, UDP_SEGMENT = 17, 103

#: Datagrams of more bytes are sent one by one: they may have to be fragmented, as everywhere one of 1280 need not
#: (RFC 8200 5), and IPv6 and UDP take 48 of these.
MAX_SEGMENT = 1232

#: The most bytes that go together: what one datagram might have, IPv6 options aside.
MAX_RUN_BYTES = 65000

_SIZE = struct.Struct("@H")


class _RouteCache(dict[bytes, "_BatchedRoute"]):
    """
    The route of each source: it is looked up by the bytes in which the kernel names the source and, where there may be
    several, the destination.
    """

    def __init__(self, make: Callable[[bytes], _BatchedRoute]) -> None:
        self._make = make

    def __missing__(self, key: bytes) -> _BatchedRoute:
        if len(self) >= MAX_ROUTES:
            self.clear()
        self[key] = route = self._make(key)
        return route


def _parseName(name: bytes) -> tuple[tuple[str, int], bool]:
    """
    The peer of a struct sockaddr_in or sockaddr_in6, and whether it is link-local.
    """
    port = int.from_bytes(name[2:4], "big")
    if len(name) < 28:
        return peerName(socket.inet_ntop(socket.AF_INET, name[4:8]), port, 0), False
    (scope,) = struct.unpack_from("@I", name, 24)
    return peerName(socket.inet_ntop(socket.AF_INET6, name[8:24]), port, scope), bool(scope)


class _SegmentRun:
    """
    Replies of one size by one route.

    @ivar remaining: how many more there may be.
    @ivar refused: whether the kernel would not take them together.
    """

    __slots__ = ("refused", "remaining", "replies", "route", "size", "tokens")

    def __init__(self, route: _BatchedRoute, size: int, remaining: int) -> None:
        self.route, self.size, self.remaining = route, size, remaining
        self.replies: list[bytes] = []
        self.tokens: list[object] = []
        self.refused = False


class _Source:
    """
    One peer, whatever address of ours it asks.

    @ivar run: what a reply is added to, if it goes by the same route and has the same size: so the order is kept.
    """

    __slots__ = ("run",)

    def __init__(self) -> None:
        self.run: _SegmentRun | None = None


class _BatchedRoute(PortRoute):
    """
    A route whose replies wait until the batch has been served.
    """

    __slots__ = ("source",)

    source: _Source

    def send(self, datagram: bytes, token: object) -> None:
        """
        Send a reply: after the batch, if one is being served.
        """
        source, size = self.source, len(datagram)
        run = source.run
        if run is None or run.size != size or run.remaining <= 0 or run.route is not self:
            run = source.run = self._port.startRun(self, size)
        run.remaining -= 1
        run.replies.append(datagram)
        run.tokens.append(token)
        if not self._port.dispatching:
            self._port.sendReplies()


class BatchedUDPPort(UDPPort):
    """
    Receives up to 64 datagrams by one call, and sends their replies when all have been served, those to one peer
    together. Its protocol provides L{IRequestProtocol<sockservices.transports.interfaces.IRequestProtocol>}.

    @ivar dispatching: whether a batch is being served.
    """

    dispatching = False
    _receiver: BatchReceiver | None = None
    _batch: Iterator[tuple[bytes, bytes, bytes]] = iter(())

    def __init__(self, bound: BoundSocket, protocol: AbstractDatagramProtocol, reactor: Reactor) -> None:
        super().__init__(bound, protocol, reactor)
        self._runs: list[_SegmentRun] = []
        self._routes = _RouteCache(self._newRoute)
        self._sources: dict[bytes, _Source] = {}
        self._nameSize = NAME_SIZES[self.family]
        self._canSegment = True

    def _newRoute(self, key: bytes) -> _BatchedRoute:
        name = key[: self._nameSize]
        peer, linkLocal = _parseName(name)
        destination, pktinfo = destinationOf(controlMessages(key[self._nameSize :]), linkLocal, self._fixedDestination)
        route = _BatchedRoute(self, peer, destination, pktinfo)
        if len(self._sources) >= MAX_ROUTES:
            self._sources.clear()
        route.source = self._sources.setdefault(name, _Source())
        return route

    def _read(self, limit: int) -> None:
        # A protocol that stops the port while it receives a datagram comes here again: the rest of the batch is first.
        self._dispatchBatch()
        if self._receiver is None:
            # Only now: it is by the protocol how long datagrams may be.
            self._receiver = BatchReceiver(self.family, self.maxPacketSize)
        while limit > 0 and self.connected:
            try:
                received = self._receiver.receive(self.socket.fileno(), min(limit, MAX_BATCH))
            except BlockingIOError:
                break
            except OSError:
                # The network's answer to an earlier reply (ICMP), or no memory. The next read may go well.
                self.errors += 1
                limit -= 1
                continue
            self._batch = iter(received)
            self._dispatchBatch()
            if len(received) < MIN_BUSY_BATCH:
                break
            limit -= len(received)

    def _dispatchBatch(self) -> None:
        requestReceived, routes = self._requestReceived, self._routes
        self.dispatching = True
        for datagram, name, control in self._batch:
            if not self.connected:
                break
            try:
                requestReceived(datagram, routes[name + control])
            except BaseException as exception:
                self._logException(exception)
        self.dispatching = False
        if self._runs:
            self.sendReplies()

    def startRun(self, route: _BatchedRoute, size: int) -> _SegmentRun:
        """
        Begin a run of replies of one size.
        """
        segmented = self._canSegment and 0 < size <= MAX_SEGMENT
        run = _SegmentRun(route, size, min(MAX_BATCH, MAX_RUN_BYTES // size) if segmented else 1)
        self._runs.append(run)
        return run

    def sendReplies(self) -> None:
        """
        Send the replies that wait, and tell the protocol what became of them.
        """
        runs, self._runs = self._runs, []
        sent: list[object] = []
        failures: list[tuple[object, Exception]] = []
        for run in runs:
            run.route.source.run = None
            if len(run.replies) > 1 and self._canSegment and self._sendSegmented(run):
                sent += run.tokens
            else:
                self._sendEach(run, sent, failures)
        try:
            self.protocol.repliesSent(sent, failures)
        except BaseException as exception:
            self._logException(exception)

    def _sendEach(self, run: _SegmentRun, sent: list[object], failures: list[tuple[object, Exception]]) -> None:
        peer, pktinfo, before = run.route.peer, run.route.pktinfo, len(sent)
        for token, datagram in zip(run.tokens, run.replies, strict=True):
            try:
                self._send(datagram, peer, pktinfo)
                sent.append(token)
            except SEND_ERRORS as error:
                failures.append((token, error))
        if len(sent) - before > 1 and run.refused:
            # An older kernel, or an interface that cannot: one by one they go.
            self._canSegment = False

    def _sendSegmented(self, run: _SegmentRun) -> bool:
        ancillary = [(SOL_UDP, UDP_SEGMENT, _SIZE.pack(run.size))]
        if run.route.pktinfo is not None:
            ancillary.append(run.route.pktinfo)
        try:
            self.socket.sendmsg(run.replies, ancillary, 0, run.route.peer)
        except BlockingIOError:
            return False  # Some of them may still find room.
        except SEND_ERRORS:
            run.refused = True
            return False
        return True

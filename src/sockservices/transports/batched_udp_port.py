"""
A UDP port that receives and sends datagrams in batches.
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

#: A batch of at least this many datagrams is followed by another system call at once: more datagrams have probably
#: arrived meanwhile, and the call costs less than a turn of the reactor.
MIN_BUSY_BATCH = 8

#: Maximum number of routes in the cache.
MAX_ROUTES = 4096

#: UDP_SEGMENT of Linux 4.18 (udp(7)): one system call sends several datagrams of one size to one peer, and the kernel
#: processes them together. On the wire they are separate datagrams.
SOL_UDP, UDP_SEGMENT = 17, 103

#: Maximum size in bytes of a datagram that is sent with UDP_SEGMENT, which does not fragment: the minimum link MTU of
#: 1280 bytes (RFC 8200 section 5) without the IPv6 and UDP headers of 48 bytes.
MAX_SEGMENT = 1232

#: Maximum number of bytes in one call with UDP_SEGMENT. The kernel's limit is that of one datagram, 65507 over IPv4;
#: IPv6 options lower it.
MAX_RUN_BYTES = 65000

_SIZE = struct.Struct("@H")


class _RouteCache(dict[bytes, "_BatchedRoute"]):
    """
    The route for each source. The key is the source as a struct sockaddr, followed by the control messages, which hold
    the destination where several are possible.
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
    Parse a struct sockaddr_in or sockaddr_in6.

    @return: the peer, and whether it is link-local.
    """
    port = int.from_bytes(name[2:4], "big")
    if len(name) < 28:
        return peerName(socket.inet_ntop(socket.AF_INET, name[4:8]), port, 0), False
    (scope,) = struct.unpack_from("@I", name, 24)
    return peerName(socket.inet_ntop(socket.AF_INET6, name[8:24]), port, scope), bool(scope)


class _SegmentRun:
    """
    Replies of one size through one route, to be sent by one system call.

    @ivar remaining: how many more replies the run can take.
    @ivar refused: whether the kernel refused to send them with UDP_SEGMENT.
    """

    __slots__ = ("refused", "remaining", "replies", "route", "size", "tokens")

    def __init__(self, route: _BatchedRoute, size: int, remaining: int) -> None:
        self.route, self.size, self.remaining = route, size, remaining
        self.replies: list[bytes] = []
        self.tokens: list[object] = []
        self.refused = False


class _Source:
    """
    One peer, whichever local address it sends to.

    @ivar run: the latest run of replies to this peer. A reply joins it if its route and size are the same; otherwise it
        begins another run. So replies stay in order.
    """

    __slots__ = ("run",)

    def __init__(self) -> None:
        self.run: _SegmentRun | None = None


class _BatchedRoute(PortRoute):
    """
    A route whose replies are sent when the batch of requests has been dispatched.
    """

    __slots__ = ("source",)

    source: _Source

    def send(self, datagram: bytes, token: object) -> None:
        """
        Send a reply: after the batch if one is being dispatched, else at once.
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
    Receives up to 64 datagrams with one system call, and sends the replies after it has dispatched all of them. Replies
    of one size to one peer share a system call. The protocol provides
    L{IRequestProtocol<sockservices.transports.interfaces.IRequestProtocol>}.

    @ivar dispatching: whether a batch is being dispatched to the protocol.
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
        # A protocol that stops the port in requestReceived re-enters here. The rest of its batch is dispatched first.
        self._dispatchBatch()
        if self._receiver is None:
            # The receiver is made here because the protocol sets maxPacketSize in startProtocol.
            self._receiver = BatchReceiver(self.family, self.maxPacketSize)
        while limit > 0 and self.connected:
            try:
                received = self._receiver.receive(self.socket.fileno(), min(limit, MAX_BATCH))
            except BlockingIOError:
                break
            except OSError:
                # An ICMP error that an earlier reply caused, or a lack of memory. The next read may succeed.
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
        Start a run of replies of one size, in bytes.
        """
        segmented = self._canSegment and 0 < size <= MAX_SEGMENT
        run = _SegmentRun(route, size, min(MAX_BATCH, MAX_RUN_BYTES // size) if segmented else 1)
        self._runs.append(run)
        return run

    def sendReplies(self) -> None:
        """
        Send the pending replies, and report the results to the protocol.
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
            # The kernel accepted the same replies singly: it, or the interface, does not support UDP_SEGMENT.
            self._canSegment = False

    def _sendSegmented(self, run: _SegmentRun) -> bool:
        ancillary = [(SOL_UDP, UDP_SEGMENT, _SIZE.pack(run.size))]
        if run.route.pktinfo is not None:
            ancillary.append(run.route.pktinfo)
        try:
            self.socket.sendmsg(run.replies, ancillary, 0, run.route.peer)
        except BlockingIOError:
            return False  # The send buffer may still have space for some of them.
        except SEND_ERRORS:
            run.refused = True
            return False
        return True

"""
A UDP port that receives and sends datagrams in batches.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from twisted.internet.protocol import AbstractDatagramProtocol

from sockservices.transports.datagram_port import MAX_ROUTES, PortRoute, UDPPort
from sockservices.transports.mmsghdr import MAX_BATCH, NAME_SIZES, controlMessages, packControl
from sockservices.transports.reactor import Reactor
from sockservices.transports.recvmmsg import BatchReceiver
from sockservices.transports.reply_sender import Reply, ReplySender
from sockservices.transports.sendmmsg import BatchSender
from sockservices.transports.sockets import BoundSocket

__all__ = ["BatchedUDPPort"]

#: A batch of at least this many datagrams is followed by another system call at once: more datagrams have probably
#: arrived meanwhile, and the call costs less than a turn of the reactor.
MIN_BUSY_BATCH = 8

#: After a batch of one datagram, so many turns of the reactor receive one datagram each, because a batch of one costs
#: more than a single datagram. The next turn receives a batch again.
SINGLE_TURNS = 8


def _parseName(name: bytes) -> tuple[Any, ...]:
    """
    Parse a struct sockaddr_in or sockaddr_in6, as recvmsg(2) does in Python. The flow information is not used.
    """
    port = int.from_bytes(name[2:4], "big")
    if len(name) < 28:
        return socket.inet_ntop(socket.AF_INET, name[4:8]), port
    return socket.inet_ntop(socket.AF_INET6, name[8:24]), port, 0, int.from_bytes(name[24:28], sys.byteorder)


class _BatchedRoute(PortRoute):
    """
    A route whose replies are sent when the batch of requests has been dispatched, or at once if there is no batch.

    @ivar name: the source as a struct sockaddr.
    @ivar control: the control message for replies, C{b""} if they need none.
    """

    __slots__ = ("control", "name")

    name: bytes
    control: bytes

    def send(self, datagram: bytes, token: object) -> None:
        port = self._transport
        port.replies.append((self, datagram, token))
        if not port.dispatching:
            port.sendReplies()


class BatchedUDPPort(UDPPort):
    """
    Receives up to 64 datagrams with one system call, and sends the replies with another one after it has dispatched all
    of them. While datagrams arrive one at a time, it receives and sends them singly. The protocol provides
    L{IRequestProtocol<sockservices.transports.interfaces.IRequestProtocol>}.

    @ivar dispatching: whether a batch is being dispatched to the protocol.
    @ivar replies: the replies that are to be sent: route, datagram and token of each.
    """

    dispatching = False
    _receiver: BatchReceiver | None = None
    _batch: Iterator[tuple[bytes, bytes]] = iter(())
    _singleTurns = 0

    def __init__(
        self,
        bound: BoundSocket,
        protocol: AbstractDatagramProtocol,
        reactor: Reactor,
        sender: BatchSender | None = None,
    ) -> None:
        super().__init__(bound, protocol, reactor)
        self.replies: list[Reply] = []
        self._batchedRouteOf = lru_cache(MAX_ROUTES)(self._newBatchedRoute)
        self._nameSize = NAME_SIZES[self.family]
        self._replySender = ReplySender(self.socket, BatchSender(self.family) if sender is None else sender)

    def _newBatchedRoute(self, key: bytes) -> _BatchedRoute:
        """
        @param key: the source as a struct sockaddr, and the control messages.
        """
        name, control = key[: self._nameSize], key[self._nameSize :]
        route: _BatchedRoute = self._newRoute(_parseName(name), *controlMessages(control), kind=_BatchedRoute)
        route.name, route.control = name, b"" if route.pktinfo is None else packControl(*route.pktinfo)
        return route

    def _read(self, limit: int) -> None:
        if self.dispatching:
            # The protocol has stopped the port in requestReceived. The rest of the batch is dispatched first.
            self._dispatchBatch()
        if self._receiver is None:
            # The receiver is made here because the protocol sets maxPacketSize in startProtocol.
            self._receiver = BatchReceiver(self.family, self.maxPacketSize)
        if self._singleTurns and not self._stopping:
            self._singleTurns -= 1
            super()._read(1)
            return
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
                if len(received) == 1:
                    self._singleTurns = SINGLE_TURNS
                break
            limit -= len(received)

    def _dispatchBatch(self) -> None:
        requestReceived, routeOf = self._requestReceived, self._batchedRouteOf
        self.dispatching = True
        for datagram, key in self._batch:
            if not self.connected:
                break
            try:
                requestReceived(datagram, routeOf(key))
            except BaseException as exception:
                self._logException(exception)
        self.dispatching = False
        if self.replies:
            self.sendReplies()

    def sendReplies(self) -> None:
        """
        Send the pending replies, and report the results to the protocol.
        """
        replies, self.replies = self.replies, []
        sent, failures = self._replySender.send(replies)
        try:
            self.protocol.repliesSent(sent, failures)
        except BaseException as exception:
            self._logException(exception)

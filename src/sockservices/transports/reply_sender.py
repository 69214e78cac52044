"""
Sends the replies of a batch of datagrams with few system calls. The kernel sends a run of replies as one message, with
UDP_SEGMENT of Linux 4.18 (udp(7)).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable
from typing import Any, TypeAlias

from sockservices.transports.mmsghdr import MAX_BATCH, packControl
from sockservices.transports.reply_route import SEND_ERRORS
from sockservices.transports.sendmmsg import BatchSender

__all__ = ["MAX_SEGMENT", "Reply", "ReplySender"]

#: UDP_SEGMENT divides one message into datagrams of one size to one peer. The kernel processes them together. On the
#: wire they are separate datagrams.
SOL_UDP, UDP_SEGMENT = 17, 103

#: Maximum size in bytes of a datagram that is sent with UDP_SEGMENT, which does not fragment: the minimum link MTU of
#: 1280 bytes (RFC 8200 section 5) without the IPv6 and UDP headers of 48 bytes.
MAX_SEGMENT = 1232

#: Maximum number of bytes in one message with UDP_SEGMENT. The kernel's limit is that of one datagram, 65507 over IPv4;
#: IPv6 options lower it. The maximum number of datagrams in one message is 64 in older kernels.
MAX_RUN_BYTES = 65000

_SIZE = struct.Struct("@H")

#: A reply to be sent: its route, the datagram, and the token.
Reply: TypeAlias = tuple[Any, bytes, object]


class _SegmentRun:
    """
    Successive replies of one size through one route, and the control messages with which they are sent.

    @ivar size: the size of each reply in bytes.
    @ivar remaining: how many more replies the run can take.
    """

    __slots__ = ("datagrams", "remaining", "route", "size", "tokens")

    def __init__(self, route: Any, size: int) -> None:
        self.route, self.size = route, size
        self.remaining = min(MAX_BATCH, MAX_RUN_BYTES // size) if 0 < size <= MAX_SEGMENT else 1
        self.datagrams: list[bytes] = []
        self.tokens: list[object] = []

    @property
    def ancillary(self) -> list[tuple[int, int, bytes]]:
        messages = [] if self.route.pktinfo is None else [self.route.pktinfo]
        if len(self.datagrams) > 1:
            messages.append((SOL_UDP, UDP_SEGMENT, _SIZE.pack(self.size)))
        return messages

    @property
    def control(self) -> bytes:
        return b"".join([packControl(*message) for message in self.ancillary])


def _joinRuns(replies: Iterable[Reply]) -> list[_SegmentRun]:
    """
    Join replies into runs. The replies to one peer stay in order, whichever local addresses they leave from.
    """
    runs: list[_SegmentRun] = []
    latest: dict[bytes, _SegmentRun] = {}
    for route, datagram, token in replies:
        run, size = latest.get(route.name), len(datagram)
        if run is None or run.size != size or not run.remaining or run.route is not route:
            run = latest[route.name] = _SegmentRun(route, size)
            runs.append(run)
        run.remaining -= 1
        run.datagrams.append(datagram)
        run.tokens.append(token)
    return runs


class ReplySender:
    """
    Sends replies. The replies to one peer stay in order, also when the kernel refuses some of them.
    """

    def __init__(self, udpSocket: socket.socket, batchSender: BatchSender) -> None:
        self._socket = udpSocket
        self._batchSender = batchSender
        self._canSegment = True
        self._sent: list[object] = []
        self._failures: list[tuple[object, Exception]] = []

    def send(self, replies: list[Reply]) -> tuple[list[object], list[tuple[object, Exception]]]:
        """
        Send replies.

        @return: the tokens of those that the kernel has accepted; and the tokens of the others, each with its error.
        """
        self._sent, self._failures = [], []
        for start in range(0, len(replies), MAX_BATCH):
            batch = replies[start : start + MAX_BATCH]
            try:
                if self._canSegment and len({route for route, _, _ in batch}) < len(batch):
                    self._sendRuns(_joinRuns(batch))
                elif len(batch) < self._batchSender.minMessages:
                    self._sendSingly(batch)
                else:
                    self._sendTogether(batch)
            except (*SEND_ERRORS, IndexError):
                # A reply is not bytes, or too long: only that one fails.
                self._sendSingly(batch)
        return self._sent, self._failures

    def _sendSingly(self, batch: list[Reply]) -> None:
        for route, datagram, token in batch:
            try:
                route.write(datagram)
                self._sent.append(token)
            except SEND_ERRORS as error:
                self._failures.append((token, error))

    def _sendTogether(self, batch: list[Reply]) -> None:
        routes, datagrams, tokens = zip(*batch, strict=True)
        names, controls = [route.name for route in routes], [route.control for route in routes]
        refused: dict[int, Exception] = {}
        self._batchSender.send(self._socket.fileno(), names, controls, datagrams, refused.__setitem__)
        if refused:
            self._failures += [(tokens[index], error) for index, error in refused.items()]
            self._sent += [token for index, token in enumerate(tokens) if index not in refused]
        else:
            self._sent += tokens

    def _sendRuns(self, runs: list[_SegmentRun]) -> None:
        refused = set()

        def refuse(index: int, error: Exception) -> None:
            refused.add(index)
            self._sendRefused(runs[index], error)

        if len(runs) < self._batchSender.minMessages:
            for index, run in enumerate(runs):
                try:
                    self._socket.sendmsg(run.datagrams, run.ancillary, 0, run.route.peer)
                except SEND_ERRORS as error:
                    refuse(index, error)
        else:
            names, controls = [run.route.name for run in runs], [run.control for run in runs]
            contents = [b"".join(run.datagrams) for run in runs]
            self._batchSender.send(self._socket.fileno(), names, controls, contents, refuse)
        for index, run in enumerate(runs):
            if index not in refused:
                self._sent += run.tokens

    def _sendRefused(self, run: _SegmentRun, error: Exception) -> None:
        """
        Send the replies of a run singly, before any later reply to the same peer: the send buffer may have space for
        some of them, and the system may not support UDP_SEGMENT.
        """
        if len(run.tokens) == 1:
            self._failures.append((run.tokens[0], error))
            return
        before = len(self._sent)
        self._sendSingly([(run.route, *reply) for reply in zip(run.datagrams, run.tokens, strict=True)])
        if len(self._sent) - before > 1 and isinstance(error, OSError) and error.errno != errno.EAGAIN:
            # The kernel accepts the replies singly: it, or the interface, does not support UDP_SEGMENT.
            self._canSegment = False

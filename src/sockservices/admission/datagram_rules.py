"""
Which datagrams may be answered. A reply to a forged source can be an attack on a third host, or the start of an endless
loop between two servers that answer each other (CVE-2024-2169).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container
from functools import lru_cache
from typing import NamedTuple

from sockservices.admission.addresses import sourceOf
from sockservices.admission.census import Census
from sockservices.admission.rate_limit import RateLimit
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy

__all__ = ["DatagramSource", "datagramSource", "inode", "unixDropReason"]

#: Ports of services that may answer a reply: all below 1024, and NFS.
PRIVILEGED_PORTS = frozenset(range(1, 1024)) | {2049}


@lru_cache(maxsize=4096)
def _addressDropReason(host: str, port: int, destination: str | None) -> Outcome | None:
    if not port:
        return Outcome.NO_PORT
    if port in PRIVILEGED_PORTS:
        return Outcome.PRIVILEGED
    source = sourceOf(host)
    if not source.answerable:
        return Outcome.BAD_SOURCE
    if destination is not None:
        target = sourceOf(destination)
        if not target.answerable:
            return Outcome.BROADCAST
        if source.loopback and not target.loopback:
            return Outcome.BAD_SOURCE
    return None


def inode(path: str | bytes | None) -> tuple[int, int] | None:
    """
    The identity of a socket's file: its device and inode number.

    @return: L{None} if there is no such file: no path, an abstract name, or a file that has been removed.
    """
    status = _status(path)
    return status and (status.st_dev, status.st_ino)


def unixDropReason(path: str | bytes, ownSockets: Container[tuple[int, int]]) -> Outcome | None:
    """
    Why a Unix datagram is not answered, by its source.

    bind(2) makes a file of type socket with one link. Any other file at the source's path was put there afterwards, and
    may lead the reply to another server's socket. A path without a file is left to the kernel, which refuses to send.

    @param path: the path that the source is bound to, or its abstract name after a NUL. A relative path depends on the
        source's working directory: in the server's it can name another socket, even the server's own.
    @param ownSockets: the L{inode} of each Unix datagram socket of this server.
    @return: L{None} when the datagram may be answered.
    """
    if os.fsencode(path)[:1] not in (b"/", b"\0"):
        return Outcome.BAD_SOURCE
    status = _status(path)
    if status is None:
        return None
    if not stat.S_ISSOCK(status.st_mode) or status.st_nlink != 1:
        return Outcome.BAD_SOURCE
    return Outcome.OWN_PORT if (status.st_dev, status.st_ino) in ownSockets else None


def _status(path: str | bytes | None) -> os.stat_result | None:
    try:
        return os.lstat(path or b"\0")
    except (OSError, ValueError):
        return None


class DatagramSource(NamedTuple):
    """
    A source of datagrams to one destination address. A port that keeps it with a route finds it out only once.

    @ivar rate: the limit for replies to it, or L{None}.
    @ivar key: its key in that limit.
    @ivar addressReason: why its datagrams are not answered, by the addresses alone.
    @ivar unprivilegedPort: its UDP port, if it can be one of the server's own; otherwise L{None}.
    """

    rate: RateLimit | None
    key: str | bytes
    addressReason: Outcome | None = None
    unprivilegedPort: int | None = None

    def dropReason(self, ownPorts: Container[int | None]) -> Outcome | None:
        """
        Why its datagrams are not answered. The more general reason wins.

        @return: L{None} when they may be answered.
        """
        return Outcome.OWN_PORT if self.unprivilegedPort in ownPorts else self.addressReason


def datagramSource(
    peer: tuple[str, int] | str | bytes, destination: str | None, census: Census, policy: Policy
) -> DatagramSource:
    """
    Find out about a source.

    @param peer: host and port, or the path or abstract name of a Unix socket.
    @param destination: the IP address that the datagram was sent to; L{None}, where it is not known, is not checked.
    """
    rate, key = census.replyRate(peer, policy)
    if not isinstance(peer, tuple):
        return DatagramSource(rate, key)
    host, port = peer
    unprivileged = None if not port or port in PRIVILEGED_PORTS else port
    return DatagramSource(rate, key, _addressDropReason(host, port, destination), unprivileged)

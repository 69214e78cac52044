"""
Which datagrams may be answered. A reply to the wrong place can be an attack on it, or the start of an endless loop
between two servers that answer each other (CVE-2024-2169).
"""

from __future__ import annotations

import os
from collections.abc import Container
from functools import lru_cache
from pathlib import Path

from sockservices.admission.addresses import sourceOf
from sockservices.conversation.outcome import Outcome

__all__ = ["inode", "refusal", "unixRefusal"]

#: Where services answer: all ports below 1024, and NFS.
PRIVILEGED = frozenset(range(1, 1024)) | {2049}


def refusal(host: str, port: int, destination: str | None, own: Container[int]) -> Outcome | None:
    """
    Why a datagram is not answered, judged by where it came from and where it was sent to.

    @param host: the source's IP address.
    @param port: the source's port.
    @param destination: the IP address that it was sent to; L{None} where that is not known, and not judged.
    @param own: the ports that this server is bound to.
    @return: L{None} when it may be answered.
    """
    if port in own and port and port not in PRIVILEGED:
        return Outcome.OWN_PORT
    return _judged(host, port, destination)


@lru_cache(maxsize=4096)
def _judged(host: str, port: int, destination: str | None) -> Outcome | None:
    """
    What would be said of it by any server.
    """
    if not port:
        return Outcome.NO_PORT
    if port in PRIVILEGED:
        return Outcome.PRIVILEGED
    source = sourceOf(host)
    if not source.single:
        return Outcome.BAD_SOURCE
    if destination is not None:
        target = sourceOf(destination)
        if not target.single:
            return Outcome.BROADCAST
        if source.loopback and not target.loopback:
            return Outcome.BAD_SOURCE
    return None


def inode(name: str | bytes | None) -> tuple[int, int] | None:
    """
    The file that a path leads to, by device and number.

    @return: L{None} where there is none: a name in the abstract namespace, or a peer that is gone.
    """
    try:
        status = Path(os.fsdecode(name or b"\0")).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def unixRefusal(name: str | bytes, own: Container[tuple[int, int]]) -> Outcome | None:
    """
    Why a Unix datagram is not answered, judged by its source.

    @param name: the path that the source is bound to, in its own words. A relative one was meant in the folder of its
        program: here it could be anybody's, even the server's own.
    @param own: the files of this server's own sockets.
    @return: L{None} when it may be answered.
    """
    if os.fsencode(name)[:1] not in (b"/", b"\0"):
        return Outcome.BAD_SOURCE
    return Outcome.OWN_PORT if inode(name) in own else None

"""
Which datagrams may be answered. A reply to the wrong place can be an attack on it, or the start of an endless loop
between two servers that answer each other (CVE-2024-2169).
"""

from __future__ import annotations

from collections.abc import Container

from sockservices.source import sourceOf
from sockservices.visit import Outcome

__all__ = ["refusal"]

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
    if not port:
        return Outcome.NO_PORT
    if port in PRIVILEGED:
        return Outcome.PRIVILEGED
    if port in own:
        return Outcome.OWN_PORT
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

"""
Addresses in the form that the log, C{whoami} and the command line share.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

__all__ = ["addressText", "hostPort"]


def hostPort(host: str, port: int) -> str:
    """
    C{127.0.0.1:8007} or C{[::1]:8007}.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def addressText(address: IAddress | None) -> str | None:
    """
    An address as text: host and port, or the path of a Unix socket (C{@name} in the abstract namespace).

    Printable, whatever is in it: a client chooses its own path, and a proxy the host that it reports.

    @return: L{None} for a peer without an address, as Unix clients mostly are.
    """
    port = getattr(address, "port", None)
    if port is not None:
        return hostPort(_printable(address.host), port)  # type: ignore[union-attr]
    name = getattr(address, "name", None)
    if not name:
        return None
    path = os.fsencode(name)
    return _printable(os.fsdecode(path.replace(b"\0", b"@", 1)))


def _printable(text: str) -> str:
    # A log may be no more than ASCII; and a path with spaces could look like a sentence of ours.
    return ascii(text)[1:-1].replace(" ", "\\x20")

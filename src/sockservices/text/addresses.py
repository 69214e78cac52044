"""
Addresses as text, in the form that the log, C{whoami} and the command line share.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

__all__ = ["addressText", "hostPort"]


def hostPort(host: str, port: int) -> str:
    """
    Join host and port: C{127.0.0.1:8007}; an IPv6 host is put in brackets (RFC 3986, section 3.2.2): C{[::1]:8007}.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def addressText(address: IAddress | None) -> str | None:
    """
    Format an address: host and port, or the path of a Unix socket (C{@name} in the abstract namespace).

    The text is printable ASCII for any address: a Unix client chooses its own path, and a proxy reports the host.

    @return: L{None} for no address, and for a Unix client that has bound no path.
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
    # A log file may be ASCII only, and a path with spaces could imitate the fields of a log line.
    return ascii(text)[1:-1].replace(" ", "\\x20")

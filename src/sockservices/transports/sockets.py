"""
Opens sockets: bound, listening and non-blocking, or not at all.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError

from sockservices.transports.bindings import Binding, InetBinding, SystemdBinding, UnixBinding

__all__ = ["BoundSocket", "OpenError", "openSockets"]

#: Connections that may wait to be accepted; the kernel takes the lower of this and somaxconn.
BACKLOG = 1024

#: The first descriptor that a service manager passes (sd_listen_fds(3)).
FIRST_INHERITED = 3


class OpenError(CannotListenError):
    """
    A socket could not be opened. The text names the address and the cause.
    """

    def __init__(self, binding: Binding, cause: str) -> None:
        super().__init__(None, str(binding), cause)

    def __str__(self) -> str:
        return f"{self.port}: {self.socketError}"


@dataclass(frozen=True)
class BoundSocket:
    """
    A socket that can be read at once.

    @ivar path: the file of a Unix socket that is to go when the socket does.
    @ivar inode: its number, so that the file of another server in the same place is left alone.
    """

    socket: socket.socket
    path: str | None = None
    inode: int = 0

    @property
    def stream(self) -> bool:
        """
        Whether it takes connections, not datagrams.
        """
        return self.socket.type == socket.SOCK_STREAM

    def close(self) -> None:
        """
        Close the socket, and remove its file if that is ours.

        Never by shutdown(2): an inherited socket is still the service manager's.
        """
        if self.path is not None:
            # Once privileges are shed the folder may no longer be writable: the next start removes the file then.
            with suppress(OSError):
                if os.lstat(self.path).st_ino == self.inode:
                    os.unlink(self.path)  # noqa: PTH108 (the path of a socket, not of a file to work with)
        self.socket.close()


def openSockets(binding: Any, environ: Mapping[str, str] | None = None) -> list[BoundSocket]:
    """
    Open what a binding says: one socket, or all that the service manager has under a name.

    @raise OpenError: when one cannot be opened; then none is.
    """
    if isinstance(binding, SystemdBinding):
        return _inherited(binding, _atFirst() if environ is None else environ)
    try:
        return [_openInet(binding) if isinstance(binding, InetBinding) else _openUnix(binding)]
    except OSError as fault:
        raise OpenError(binding, fault.strerror or str(fault)) from None


def _openInet(binding: InetBinding) -> BoundSocket:
    kind = socket.SOCK_STREAM if binding.stream else socket.SOCK_DGRAM
    family, _, _, _, address = socket.getaddrinfo(
        binding.interface, binding.port, type=kind, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )[0]
    opened = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            # Else "::" takes the v4 port as well, or not, by a setting of the system.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if binding.stream:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Connections inherit it: an urgent byte (RFC 6093) stays in its place in the stream, and is not dropped.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        opened.bind(address)
        return _ready(opened)
    except OSError:
        opened.close()
        raise


def _openUnix(binding: UnixBinding) -> BoundSocket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if binding.stream else socket.SOCK_DGRAM)
    try:
        if binding.path.startswith("@"):
            opened.bind("\0" + binding.path[1:])
            return _ready(opened)
        _removeStale(binding.path)
        # By chmod after bind() the socket would be open to all for a moment.
        mask = os.umask(0o777 & ~binding.mode)
        try:
            opened.bind(binding.path)
        finally:
            os.umask(mask)
        # Absolute: twistd changes its folder later.
        return _ready(opened, str(Path(binding.path).absolute()), os.lstat(binding.path).st_ino)
    except OSError:
        opened.close()
        raise


def _ready(opened: socket.socket, path: str | None = None, inode: int = 0) -> BoundSocket:
    opened.setblocking(False)
    if opened.type == socket.SOCK_STREAM:
        if opened.family != socket.AF_UNIX:
            # Connections inherit it: an answer goes out at once, not when the one before has been acknowledged.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.listen(BACKLOG)
    return BoundSocket(opened, path, inode)


def _removeStale(path: str) -> None:
    """
    Remove the socket of a server that is gone: one of our own user, at which nobody listens.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
        return
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)  # noqa: PTH108
                return
            except OSError:
                # EPROTOTYPE: a live one of the other kind. EAGAIN: a live one with a full queue.
                continue
            return


def _atFirst() -> dict[str, str]:
    """
    The environment that this process was started with: twisted.internet.endpoints, when it is imported, takes what a
    service manager has said out of C{os.environ}.
    """
    try:
        words = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    return dict(os.fsdecode(word).split("=", 1) for word in words.split(b"\0") if b"=" in word) | os.environ


def _inherited(binding: SystemdBinding, environ: Mapping[str, str]) -> list[BoundSocket]:
    """
    The sockets of a name, as the service manager announces them (sd_listen_fds_with_names(3)).
    """
    said = environ.get("LISTEN_FDS", "") if environ.get("LISTEN_PID") == str(os.getpid()) else ""
    count = int(said) if said.isdecimal() else 0
    names = (environ["LISTEN_FDNAMES"].split(":") if "LISTEN_FDNAMES" in environ else ["unknown"] * count)[:count]
    numbers = [FIRST_INHERITED + index for index, name in enumerate(names) if name == binding.name]
    if not numbers:
        passed = ", ".join(sorted(set(names))) or "none at all"
        raise OpenError(binding, f"the service manager passed no socket of this name; it passed {passed}")
    opened: list[BoundSocket] = []
    try:
        for number in numbers:
            opened.append(_adopt(binding, number))
    except OpenError:
        for each in opened:
            each.close()
        raise
    return opened


def _adopt(binding: SystemdBinding, number: int) -> BoundSocket:
    try:
        # A program is passed inheritable ones only; ours are not, nor is what has its number after it was closed.
        if not os.get_inheritable(number):
            raise OpenError(binding, f"descriptor {number}: it is in use already")
        inherited = socket.socket(fileno=number)
        inherited.set_inheritable(False)
        inherited.setblocking(False)
        listens = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as fault:
        raise OpenError(binding, f"descriptor {number}: {fault.strerror}") from None
    if inherited.type != (socket.SOCK_STREAM if listens else socket.SOCK_DGRAM):
        # A connection (Accept=yes) or packets in sequence: reading it would fail again and again, for ever.
        inherited.close()
        raise OpenError(binding, f"descriptor {number}: it takes neither connections nor datagrams")
    return BoundSocket(inherited)

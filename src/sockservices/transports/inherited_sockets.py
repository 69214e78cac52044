"""
Sockets that a service manager passed to this process (sd_listen_fds(3)).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sockservices.transports.bindings import SystemdBinding
from sockservices.transports.bound_socket import BoundSocket, OpenError

__all__ = ["adoptSockets"]

#: The first descriptor that a service manager passes.
FIRST_INHERITED = 3


def adoptSockets(binding: SystemdBinding, environ: Mapping[str, str] | None = None) -> list[BoundSocket]:
    """
    Adopt the sockets that the service manager passed under a name (sd_listen_fds_with_names(3)).

    @param environ: environment variables with those of the service manager; by default those with which this process
        was started.
    @raise OpenError: when there is no such socket, or one of them cannot be used; then all are closed.
    """
    environ = _initialEnvironment() if environ is None else environ
    listenFDs = environ.get("LISTEN_FDS", "") if environ.get("LISTEN_PID") == str(os.getpid()) else ""
    # A descriptor number has fewer than ten digits.
    count = int(listenFDs) if listenFDs.isdecimal() and len(listenFDs) < 10 else 0
    names = (environ["LISTEN_FDNAMES"].split(":") if "LISTEN_FDNAMES" in environ else ["unknown"] * count)[:count]
    descriptors = [FIRST_INHERITED + index for index, name in enumerate(names) if name == binding.name]
    if not descriptors:
        others = ", ".join(sorted(set(names))) or "none at all"
        raise OpenError(binding, f"the service manager passed no socket of this name; it passed {others}")
    adopted: list[BoundSocket] = []
    try:
        for descriptor in descriptors:
            adopted.append(BoundSocket(_adopt(binding, descriptor)))
    except OpenError:
        for each in adopted:
            each.close()
        raise
    return adopted


def _initialEnvironment() -> dict[str, str]:
    """
    Read the environment with which this process was started. twisted.internet.endpoints removes the variables of the
    service manager from C{os.environ} when it is imported.
    """
    try:
        variables = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return dict(os.environ)
    return dict(os.fsdecode(each).split("=", 1) for each in variables if b"=" in each) | os.environ


def _adopt(binding: SystemdBinding, descriptor: int) -> socket.socket:
    try:
        # A service manager passes inheritable descriptors. A descriptor that this process opened is not inheritable,
        # even if it has the number of a closed inherited descriptor.
        if not os.get_inheritable(descriptor):
            raise OpenError(binding, f"descriptor {descriptor}: already in use")
        inherited = socket.socket(fileno=descriptor)
        inherited.set_inheritable(False)
        inherited.setblocking(False)
        listens = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise OpenError(binding, f"descriptor {descriptor}: {error.strerror}") from None
    cause = ""
    if inherited.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        family = getattr(inherited.family, "name", inherited.family)
        cause = f"a socket of the family {family}: expected TCP, UDP or Unix"
    elif inherited.type != (socket.SOCK_STREAM if listens else socket.SOCK_DGRAM):
        # For a connection (Accept=yes) or a SOCK_SEQPACKET socket, each read of a port would fail.
        cause = "expected a listening stream socket or a datagram socket"
    if cause:
        inherited.close()
        raise OpenError(binding, f"descriptor {descriptor}: {cause}")
    if listens and inherited.family != socket.AF_UNIX:
        # Accepted connections inherit it. With NoDelay= of a socket unit, systemd logs an error for each UDP socket.
        # A socket of another protocol, such as SCTP, does not have it.
        with suppress(OSError):
            inherited.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return inherited

"""
Opens the sockets of bindings: bound, non-blocking, and listening if they are stream sockets.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sockservices.transports.bindings import BACKLOG, InetBinding, SystemdBinding, UnixBinding
from sockservices.transports.bound_socket import BoundSocket, OpenError
from sockservices.transports.inherited_sockets import adoptSockets
from sockservices.transports.unix_path import lockedFolder, removeStaleSocket

__all__ = ["BoundSocket", "OpenError", "openSockets"]

#: Bytes that a UDP socket asks the kernel to hold until the server reads them.
RECEIVE_BUFFER = 1 << 20


def openSockets(binding: Any, environ: Mapping[str, str] | None = None) -> list[BoundSocket]:
    """
    Open the socket of a binding, or adopt all sockets that the service manager passed under its name.

    @param environ: environment variables with those of the service manager; by default those with which this process
        was started.
    @raise OpenError: when a socket cannot be opened; then none is left open.
    """
    if isinstance(binding, SystemdBinding):
        return adoptSockets(binding, environ)
    try:
        return [_openInet(binding) if isinstance(binding, InetBinding) else _openUnix(binding)]
    except OSError as error:
        raise OpenError(binding, error.strerror or str(error)) from None


def _openInet(binding: InetBinding) -> BoundSocket:
    kind = socket.SOCK_STREAM if binding.stream else socket.SOCK_DGRAM
    family, _, _, _, address = socket.getaddrinfo(
        binding.interface, binding.port, type=kind, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            # Otherwise the system's bindv6only decides whether "::" binds the IPv4 port as well.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if binding.stream:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Connections inherit it: an urgent byte (RFC 6093) stays in its place in the stream.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            # Connections inherit it: a reply does not wait for the acknowledgement of the previous one (RFC 896).
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            # The default of Linux holds about 200 small datagrams. The kernel allows up to net.core.rmem_max.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        bound.bind(address)
        _prepare(bound)
        return BoundSocket(bound, connectionsInheritOobInline=True)
    except OSError:
        bound.close()
        raise


def _openUnix(binding: UnixBinding) -> BoundSocket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if binding.stream else socket.SOCK_DGRAM)
    try:
        if binding.path.startswith("@"):
            bound.bind("\0" + binding.path[1:])
            _prepare(bound)
            return BoundSocket(bound)
        path = Path(binding.path).absolute()  # twistd changes its working directory later.
        with lockedFolder(path.parent):
            # Before listen(2), connect(2) is refused, and another server would take the new file for a stale one.
            removeStaleSocket(binding.path)
            # With chmod(2) after bind(2), every user could connect in between.
            mask = os.umask(0o777 & ~binding.mode)
            try:
                bound.bind(binding.path)
            finally:
                os.umask(mask)
            _prepare(bound)
            return BoundSocket(bound, str(path), os.lstat(binding.path).st_ino)
    except OSError:
        bound.close()
        raise


def _prepare(bound: socket.socket) -> None:
    bound.setblocking(False)
    if bound.type == socket.SOCK_STREAM:
        bound.listen(BACKLOG)

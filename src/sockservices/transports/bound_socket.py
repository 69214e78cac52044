"""
A bound socket, and the error that is raised when a socket cannot be opened.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twisted.internet.error import CannotListenError

from sockservices.transports.bindings import Binding

__all__ = ["BoundSocket", "OpenError"]


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
    A bound, non-blocking socket. A stream socket is listening.

    @ivar path: the file of a Unix socket, which L{close} removes.
    @ivar inode: the inode of that file. A file with another inode belongs to another server and is not removed.
    @ivar connectionsInheritOobInline: whether accepted connections inherit SO_OOBINLINE. Unix connections do not, nor
        do connections that were in the queue of an inherited socket before the option was set.
    @ivar shared: whether other processes of this server serve the socket as well.
    @ivar watched: whether this process serves it when the reactor has an event for it; otherwise another one does.
    """

    socket: socket.socket
    path: str | None = None
    inode: int = 0
    connectionsInheritOobInline: bool = False
    shared: bool = False
    watched: bool = True

    @cached_property
    def stream(self) -> bool:
        """
        Whether this is a stream socket and not a datagram socket.
        """
        return self.socket.type == socket.SOCK_STREAM

    @cached_property
    def family(self) -> int:
        """
        The address family. The property of the socket makes an Enum member at each access.
        """
        return self.socket.family

    def accept(self) -> tuple[Any, Any]:
        """
        Accept a connection.

        @return: its socket, and the name of the peer's.
        @raise OSError: L{BlockingIOError} when the queue is empty.
        """
        # The method behind socket.accept(), which makes three Enum members for each connection: a third of its time.
        descriptor, name = self.socket._accept()  # type: ignore[attr-defined]
        return socket.socket(self.family, socket.SOCK_STREAM, 0, descriptor), name

    def close(self) -> None:
        """
        Remove the file of the socket, then close the socket. In the reverse order, a server that starts at the same
        time could find a file without a listener.

        This method never calls shutdown(2), which would stop an inherited socket for the service manager as well.
        """
        if self.path is not None:
            # After the process has dropped its privileges, the folder may not be writable. The next start replaces the
            # file.
            with suppress(OSError):
                if os.lstat(self.path).st_ino == self.inode:
                    os.unlink(self.path)  # noqa: PTH108
        self.socket.close()

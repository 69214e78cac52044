"""
A bound socket, and the error of one that cannot be opened.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass

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
    A bound, non-blocking socket. It listens if it is a stream socket.

    @ivar path: the file of a Unix socket, which is removed when the socket is closed.
    @ivar inode: the inode of that file; a file with another inode is another server's, and is not removed.
    @ivar connectionsInheritOobInline: whether accepted connections have SO_OOBINLINE already. Unix connections do not
        inherit it, nor do those that waited in the queue of a socket before it was adopted.
    """

    socket: socket.socket
    path: str | None = None
    inode: int = 0
    connectionsInheritOobInline: bool = False

    @property
    def stream(self) -> bool:
        """
        Whether it is a stream socket, else a datagram socket.
        """
        return self.socket.type == socket.SOCK_STREAM

    def close(self) -> None:
        """
        Remove the file of the socket, then close the socket: in this order a starting server cannot find a file of ours
        that nobody listens at.

        It never calls shutdown(2), which would end an inherited socket for the service manager as well.
        """
        if self.path is not None:
            # Without privileges the folder may no longer be writable. The next start replaces the file.
            with suppress(OSError):
                if os.lstat(self.path).st_ino == self.inode:
                    os.unlink(self.path)  # noqa: PTH108
        self.socket.close()

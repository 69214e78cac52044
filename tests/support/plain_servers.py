"""
Servers of plain sockets in threads, and addresses at which nothing listens.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.sockets import boundSocket, closeWithReset

__all__ = ["datagramServer", "resetAfterData", "streamServer", "unusedPort"]

#: Seconds to wait for a client and for the end of a thread.
TIMEOUT = 20.0


def _bound(transport: str, path: Path | None) -> tuple[socket.socket, str]:
    """
    Bind a socket.

    @return: the socket, and its URL.
    """
    bound = boundSocket(transport, path or "")
    return bound, f"{transport}://{path or '{}:{}'.format(*bound.getsockname())}"


@contextmanager
def streamServer(serve: Callable[[socket.socket], object], path: Path | None = None) -> Iterator[str]:
    """
    Serve streams in a thread.

    @param serve: called with each connection, which is closed after it.
    @param path: of a Unix socket; by default the server uses TCP.
    @return: the URL.
    """
    listener, url = _bound("unix" if path else "tcp", path)
    listener.listen()

    def acceptAll() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(TIMEOUT)
                with connection, suppress(OSError):
                    serve(connection)

    with _inThread(acceptAll), listener:
        try:
            yield url
        finally:
            # Wakes accept(), which close() does not.
            listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def datagramServer(reply: Callable[[socket.socket, bytes, Any], object], path: Path | None = None) -> Iterator[str]:
    """
    Serve datagrams in a thread.

    @param reply: called with the socket, a datagram and its source.
    @param path: of a Unix socket; by default the server uses UDP.
    @return: the URL.
    """
    bound, url = _bound("unixgram" if path else "udp", path)
    stop = os.urandom(16)

    def receiveAll() -> None:
        while (received := bound.recvfrom(2**18))[0] != stop:
            with suppress(OSError):
                reply(bound, *received)

    with bound, _inThread(receiveAll):
        try:
            yield url
        finally:
            with socket.socket(bound.family, socket.SOCK_DGRAM) as stopper:
                stopper.sendto(stop, bound.getsockname())


@contextmanager
def _inThread(function: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(TIMEOUT)
        assert not thread.is_alive()


@contextmanager
def unusedPort() -> Iterator[str]:
    """
    Give the URL of a TCP port at which nothing listens. A bound socket reserves the port.
    """
    bound, url = _bound("tcp", None)
    with bound:
        yield url


def resetAfterData(connection: socket.socket) -> None:
    """
    Reset a connection when data has arrived.
    """
    connection.recv(1, socket.MSG_PEEK)
    closeWithReset(connection)

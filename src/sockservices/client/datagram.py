"""
A datagram socket as its client has it: connected, so that errors are heard, and awaited.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.client.names import resolve
from sockservices.client.verdict import Unanswered, Verdict, unanswered
from sockservices.client.within import within
from sockservices.text.addresses import hostPort

__all__ = ["DatagramClient"]

#: More than any datagram over IP has; those over Unix sockets may be longer.
MOST = 2**18


@implementer(IReadDescriptor)
class _Readable:
    """
    A socket that the reactor watches.
    """

    def __init__(
        self, opened: socket.socket, readable: Callable[[socket.socket], None], over: Callable[[], None]
    ) -> None:
        self._opened = opened
        self._readable = readable
        self._over = over

    def fileno(self) -> int:
        """
        For the reactor.
        """
        return self._opened.fileno()

    def doRead(self) -> None:
        """
        There is something to read.
        """
        self._readable(self._opened)

    def connectionLost(self, reason: Failure) -> None:
        """
        There is an error to read: of datagram sockets too, an C{EPollReactor} takes those for their end. Or the reactor
        stops, and there is nothing to come.
        """
        if reason.check(ConnectionDone):
            self._readable(self._opened)
        else:
            self._over()

    def close(self) -> None:
        """
        Close it.
        """
        self._opened.close()

    def logPrefix(self) -> str:
        """
        For the reactor's log.
        """
        return "datagram client"


class DatagramClient:
    """
    Sends datagrams to one address, and receives what comes from there. Nothing is read that is not asked for.

    A connected socket learns of refusals, and hears nobody but its peer. Over IP, a second one on the same port hears
    all the others, so that a reply from the wrong address can be told from none.

    @ivar strays: how many came from elsewhere while one was awaited.
    @ivar stray: where the last of them came from.
    """

    def __init__(self, address: tuple[str, int] | str, *, reactor: Any) -> None:
        """
        @param address: host and port, or the path of a Unix socket (C{@name} in the abstract namespace).
        @param reactor: reads, resolves names, and is the clock.
        """
        self._address = address
        self._reactor = reactor
        self._sockets: list[_Readable] = []
        self._receiver: Deferred[bytes] | None = None
        self.strays = 0
        self.stray = ""

    async def open(self) -> None:
        """
        Open the sockets.

        @raise Unanswered: when there is no way there.
        """
        try:
            await self._open()
        except OSError as fault:
            raise unanswered(fault) from fault

    async def _open(self) -> None:
        if isinstance(self._address, str):
            opened = self._connected(socket.AF_UNIX, _path(self._address))
        else:
            name, port = self._address
            if not 0 < port < 65536:
                # The C library would take the lower 16 bits.
                raise Unanswered(Verdict.USAGE, f"port {port}: 1 to 65535 is wanted")
            host = await resolve(name, self._reactor)
            (found, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
            opened = self._connected(found[0], found[4])
            strays = self._opened(found[0], self._stray)
            for each in (opened, strays):
                # Not before the kernel has chosen the port, or it could choose that of another client.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            strays.bind(opened.getsockname())
        self._socket = opened

    @property
    def host(self) -> tuple[str, int]:
        """
        Where it sends from: our address and port, over IP, once it is open.
        """
        host, port, *_ = self._socket.getsockname()
        return host, port

    def _opened(self, family: int, readable: Callable[[socket.socket], None]) -> socket.socket:
        opened = socket.socket(family, socket.SOCK_DGRAM)
        self._sockets.append(_Readable(opened, readable, self.close))
        opened.setblocking(False)
        return opened

    def _connected(self, family: int, address: Any) -> socket.socket:
        opened = self._opened(family, self._read)
        if family == socket.AF_UNIX:
            # Without a name of its own, nobody could reply; the kernel chooses one (unix(7), autobind).
            opened.bind("")
        opened.connect(address)
        return opened

    def send(self, datagram: bytes) -> None:
        """
        Send one.

        @raise Unanswered: when it cannot be sent, or one before was refused.
        """
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            # The kernel has no room: as lost as one that is dropped on its way.
            pass
        except OSError as fault:
            raise unanswered(fault) from fault

    def receive(self, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive the next datagram from the peer.

        @param timeout: the seconds to wait for it; L{None} waits as long as it takes.
        @return: fires with a whole datagram; fails with L{Unanswered}.
        """
        assert self._receiver is None, "one receives already"
        self._watch()
        self._receiver = Deferred(self._giveUp)
        return within(self._receiver, timeout, self._reactor, "no reply")

    def _giveUp(self, _: Deferred[bytes]) -> None:
        self._stop()

    def _watch(self) -> None:
        for each in self._sockets:
            self._reactor.addReader(each)

    def _stop(self) -> Deferred[bytes] | None:
        for each in self._sockets:
            self._reactor.removeReader(each)
        receiver, self._receiver = self._receiver, None
        return receiver

    def _read(self, opened: socket.socket) -> None:
        result: Any
        try:
            result = opened.recv(MOST)
        except BlockingIOError:
            if self._receiver is not None:
                # An error that has been heard elsewhere: the reactor looks no longer.
                self._watch()
            return
        except OSError as fault:
            result = Failure(unanswered(fault))
        receiver = self._stop()
        if receiver is not None:
            receiver.callback(result)

    def _stray(self, opened: socket.socket) -> None:
        with suppress(OSError):
            _, source = opened.recvfrom(MOST)
            self.strays += 1
            self.stray = hostPort(*source[:2])

    def close(self) -> None:
        """
        Close the sockets.
        """
        receiver = self._stop()
        if receiver is not None:
            receiver.cancel()
        for each in self._sockets:
            each.close()
        self._sockets.clear()


def _path(path: str) -> bytes:
    return os.fsencode("\0" + path[1:] if path.startswith("@") else path)

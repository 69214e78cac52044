"""
A datagram socket for a client, with awaitable replies.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.python.failure import Failure

from sockservices.client.request_failed import RequestFailed, Verdict, fromException
from sockservices.client.resolver import resolve
from sockservices.client.socket_reader import SocketReader
from sockservices.client.timeout import withTimeout
from sockservices.text.addresses import hostPort

__all__ = ["DatagramClient"]

#: The size of the receive buffer: more than the 65,527 bytes of UDP over IPv6. Unix datagrams may be longer.
MAX_DATAGRAM = 2**18


class DatagramClient:
    """
    Sends datagrams to one address, and receives its replies. It reads from the socket only during L{receive}.

    The socket is connected: it reports ICMP errors, and the kernel delivers no datagrams of other senders to it. Over
    IP, a second, unconnected socket on the same port receives those, so that a reply from a wrong address differs
    from no reply.

    @ivar wrongSourceCount: the number of datagrams from other addresses that arrived during L{receive}.
    @ivar lastWrongSource: the address of the last of them, as C{host:port}.
    """

    def __init__(self, address: tuple[str, int] | str, *, reactor: IReactorTime) -> None:
        """
        @param address: host and port, or the path of a Unix socket (C{@name} in the abstract namespace).
        @param reactor: reads from the sockets, resolves names, and is the clock of the timeouts.
        """
        self._address = address
        self._reactor = reactor
        self._readers: list[SocketReader] = []
        self._receiver: Deferred[bytes] | None = None
        self.wrongSourceCount = 0
        self.lastWrongSource = ""

    async def open(self, timeout: float | None = None) -> None:
        """
        Open the sockets. After a failure none is open.

        @param timeout: seconds for the resolution of a host name; L{None} for no timeout.
        @raise RequestFailed: if the name does not resolve, or the address is unreachable.
        """
        try:
            await self._open(timeout)
        except OSError as exception:
            self.close()
            raise fromException(exception) from exception

    async def _open(self, timeout: float | None) -> None:
        if isinstance(self._address, str):
            path = self._address
            self._socket = self._newSocket(socket.AF_UNIX, self._read)
            # A server cannot reply to a socket without a name; the kernel chooses one (unix(7), autobind).
            self._socket.bind("")
            self._socket.connect(os.fsencode("\0" + path[1:] if path.startswith("@") else path))
            return
        name, port = self._address
        if not 0 < port < 65536:
            # The C library would use the lower 16 bits.
            raise RequestFailed(Verdict.USAGE, f"port {port}: expected 1 to 65535")
        host = await resolve(name, self._reactor, timeout)
        (info, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        connected = self._newSocket(info[0], self._read)
        connected.connect(info[4])
        unconnected = self._newSocket(info[0], self._readWrongSource)
        for each in (connected, unconnected):
            # Set before connect(2), SO_REUSEADDR would let the kernel choose the port of another client.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        unconnected.bind(connected.getsockname())
        self._socket = connected

    @property
    def host(self) -> tuple[str, int]:
        """
        The local address and port of an open client over IP.
        """
        host, port, *_ = self._socket.getsockname()
        return host, port

    def _newSocket(self, family: int, onReadable: Callable[[socket.socket], None]) -> socket.socket:
        created = socket.socket(family, socket.SOCK_DGRAM)
        self._readers.append(SocketReader(created, onReadable, self.close))
        created.setblocking(False)
        return created

    def send(self, datagram: bytes) -> None:
        """
        Send a datagram.

        @raise RequestFailed: if the kernel cannot send it, or reports an ICMP error for an earlier datagram.
        """
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            # A full queue loses the datagram, as a full queue in the network does.
            pass
        except OSError as exception:
            raise fromException(exception) from exception

    def receive(self, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive the next datagram from the peer. Only one call may wait at a time.

        @param timeout: seconds to wait; L{None} for no timeout.
        @return: fires with a whole datagram; fails with L{RequestFailed}.
        """
        assert self._receiver is None, "another receive() is waiting"
        self._startReading()
        self._receiver = Deferred(self._cancelReceive)
        return withTimeout(self._receiver, timeout, self._reactor, "no reply")

    def _cancelReceive(self, _: Deferred[bytes]) -> None:
        self._stopReading()

    def _startReading(self) -> None:
        for reader in self._readers:
            IReactorFDSet(self._reactor).addReader(reader)

    def _stopReading(self) -> Deferred[bytes] | None:
        for reader in self._readers:
            IReactorFDSet(self._reactor).removeReader(reader)
        receiver, self._receiver = self._receiver, None
        return receiver

    def _read(self, readable: socket.socket) -> None:
        result: Any
        try:
            result = readable.recv(MAX_DATAGRAM)
        except BlockingIOError:
            if self._receiver is not None:
                # send() has taken the pending error, and the reactor has removed the reader because of it.
                self._startReading()
            return
        except OSError as exception:
            result = Failure(fromException(exception))
        receiver = self._stopReading()
        if receiver is not None:
            receiver.callback(result)

    def _readWrongSource(self, readable: socket.socket) -> None:
        with suppress(OSError):
            _, source = readable.recvfrom(MAX_DATAGRAM)
            self.wrongSourceCount += 1
            self.lastWrongSource = hostPort(*source[:2])

    def close(self) -> None:
        """
        Close the sockets, and cancel a waiting L{receive}.
        """
        receiver = self._stopReading()
        if receiver is not None:
            receiver.cancel()
        for reader in self._readers:
            reader.close()
        self._readers.clear()

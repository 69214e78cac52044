"""
Tests of the client library against plain sockets.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from sockservices.client import RequestFailed, Target, Verdict, ask, askDatagram
from tests.support.loop import LoopCase, descriptors
from tests.support.sockets import boundSocket

__all__ = ["SHORT_TIMEOUT", "ClientCase", "EmptyResolver", "SlowResolver"]

#: Seconds, for requests that must time out.
SHORT_TIMEOUT = 0.05

T = TypeVar("T")


@implementer(IHostnameResolver, IHostResolution)
class EmptyResolver:
    """
    A resolver without names.

    @ivar names: the names that it was called with.
    """

    name = ""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._receiver: Any = None

    def resolveHostName(self, resolutionReceiver: Any, hostName: str, *_: Any, **__: Any) -> Any:
        """
        Begin a resolution, and L{start} it.
        """
        self.names.append(hostName)
        self._receiver = IResolutionReceiver(resolutionReceiver)
        self._receiver.resolutionBegan(self)
        self.start()
        return self

    def start(self) -> None:
        """
        Complete without an address.
        """
        self.complete()

    def complete(self, *addresses: IPv4Address | IPv6Address) -> None:
        """
        Complete with these addresses.
        """
        for address in addresses:
            self._receiver.addressResolved(address)
        self._receiver.resolutionComplete()

    def cancel(self) -> None:
        """
        Do nothing: L{complete} may follow, as from a thread.
        """


class SlowResolver(EmptyResolver):
    """
    A resolver that completes when the test calls L{complete}.
    """

    def start(self) -> None:
        """
        Do nothing.
        """


class ClientCase(LoopCase):
    """
    A test whose servers are plain sockets. After it, the reactor is idle and no descriptor is left open.
    """

    def setUp(self) -> None:
        """
        Count the open descriptors.
        """
        super().setUp()
        self._remotes: list[socket.socket] = []
        self._descriptorsBefore = descriptors()
        # Cleanups run in reverse order: this one before the reactor's disposal.
        self.addCleanup(self._assertReleased)

    def _assertReleased(self) -> None:
        for remote in self._remotes:
            remote.close()
        self.turn(3)
        self.assertQuiet()
        self.assertEqual(descriptors(), self._descriptorsBefore, "a descriptor is still open")

    def remote(self, opened: socket.socket) -> socket.socket:
        """
        Register a socket of the server's side, to be closed after the test.
        """
        opened.setblocking(False)
        self._remotes.append(opened)
        return opened

    def bound(self, transport: str, host: str = "127.0.0.1") -> tuple[Target, socket.socket]:
        """
        Make a socket that has an address and does not listen.
        """
        opened = self.remote(boundSocket(transport, self.folder / f"socket{len(self._remotes)}", host))
        name = opened.getsockname()
        return Target(transport, name if isinstance(name, str) else name[:2]), opened

    def listening(self, transport: str = "tcp", host: str = "127.0.0.1") -> tuple[Target, socket.socket]:
        """
        Make a socket that listens.
        """
        target, listener = self.bound(transport, host)
        listener.listen()
        return target, listener

    def withFullQueue(self, transport: str) -> tuple[Target, socket.socket]:
        """
        Make a socket that listens and whose accept queue is full.
        """
        target, listener = self.bound(transport)
        listener.listen(0)
        self.connect(target.address)
        return target, listener

    def refusing(self) -> Target:
        """
        Give a UDP address without a socket. A socket on another address of this host holds the port, so that the
        kernel does not choose it for a client.
        """
        _, holder = self.bound("udp", "127.0.0.2")
        return Target("udp", ("127.0.0.1", holder.getsockname()[1]))

    def untilReady(self, operation: Callable[[], T]) -> T:
        """
        Turn the reactor until an operation on a non-blocking socket succeeds.
        """
        results: list[T] = []

        def succeeds() -> bool:
            try:
                results.append(operation())
            except BlockingIOError:
                return False
            return True

        self.until(succeeds)
        return results[0]

    def accepted(self, listener: socket.socket) -> socket.socket:
        """
        Accept the next connection.
        """
        return self.remote(self.untilReady(listener.accept)[0])

    def receivedDatagram(self, opened: socket.socket) -> tuple[bytes, Any]:
        """
        Receive the next datagram.

        @return: the datagram and its source.
        """
        return self.untilReady(lambda: opened.recvfrom(2**18))

    def ask(self, target: Target, message: bytes = b"", **options: Any) -> Deferred[bytes]:
        """
        Send a request over any transport.
        """
        if target.stream:
            return ask(target.endpoint(self.reactor), message, reactor=self.reactor, **options)
        return askDatagram(target.address, message, reactor=self.reactor, **options)

    def assertFails(self, request: Deferred[Any], verdict: Verdict) -> RequestFailed:
        """
        Wait for a Deferred, and require that it fails with a verdict and a printable line.
        """
        failure = self.assertRaises(RequestFailed, self.wait, request)
        assert isinstance(failure, RequestFailed)
        self.assertIs(failure.verdict, verdict, str(failure))
        self.assertTrue(str(failure).startswith(f"{verdict.value}: ") and str(failure).isprintable(), str(failure))
        return failure

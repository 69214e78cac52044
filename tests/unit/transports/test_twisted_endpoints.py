"""
Twisted's endpoints with a socket that several processes serve.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol

from sockservices.transports.sockets import OpenError
from sockservices.transports.stream_port import StreamPort
from sockservices.transports.twisted_endpoints import SharedEndpoint
from tests.support.loop import descriptors
from tests.support.stream_ports import StreamPortCase

ADDRESS = "tcp6:0:interface=\\:\\:1"


class PluginEndpoint(SharedEndpoint):
    """
    An endpoint of another package's.
    """

    def __init__(self, reactor: Any, listen: Callable[[Any], Deferred[Any]]) -> None:
        """
        @param listen: the C{listen} of the endpoint, with the reactor in place of the factory.
        """
        super().__init__(reactor, ADDRESS)
        plugin: Any = type("Plugin", (), {"listen": lambda _, factory: listen(self._wrapper)})
        self._endpoint = plugin()


class SharedEndpointTests(StreamPortCase):
    """
    L{SharedEndpoint}.
    """

    def test_openAndListen(self) -> None:
        """
        One endpoint opens the socket and accepts no connection. Another one serves the connection that waits in the
        queue of this socket.
        """
        supervisor = SharedEndpoint(self.reactor, ADDRESS)
        supervisor.open()
        supervisor.open()
        self.addCleanup(supervisor.close)
        assert supervisor.bound is not None
        client = self.connect(supervisor.bound.socket.getsockname()[:2])
        self.assertQuiet()
        worker = SharedEndpoint(self.reactor, ADDRESS, supervisor.bound)
        worker.open()
        port: Any = self.successResultOf(worker.listen(self.factory))
        self.addCleanup(port.stopListening)
        self.assertIsInstance(port, StreamPort)
        self.assertEqual((port.getHost().port, worker.bound), (supervisor.bound.socket.getsockname()[1], None))
        self.assertServed(client)

    def test_close(self) -> None:
        """
        A socket that is never served is closed.
        """
        before = descriptors()
        endpoint = SharedEndpoint(self.reactor, ADDRESS)
        endpoint.open()
        endpoint.close()
        self.assertEqual((endpoint.bound, descriptors()), (None, before))

    def test_addressInUse(self) -> None:
        """
        An address that is in use is an error of L{open<SharedEndpoint.open>}.
        """
        first = SharedEndpoint(self.reactor, ADDRESS)
        first.open()
        self.addCleanup(first.close)
        assert first.bound is not None
        port = first.bound.socket.getsockname()[1]
        second = SharedEndpoint(self.reactor, ADDRESS.replace(":0:", f":{port}:"))
        self.assertRaisesRegex(OpenError, "Address already in use", second.open)

    def test_otherEndpoints(self) -> None:
        """
        An endpoint that does not listen on exactly one TCP port of its reactor is rejected, and its ports are closed.
        """
        opened: list[Any] = []

        def listenTwice(reactor: Any) -> Deferred[Any]:
            reactor.listenTCP(0, Factory(), interface="127.0.0.1")
            return succeed(reactor.listenTCP(0, Factory(), interface="127.0.0.1"))

        def listenLater(reactor: Any) -> Deferred[Any]:
            return Deferred()

        def listenElsewhere(reactor: Any) -> Deferred[Any]:
            opened.append(reactor.realReactor.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1"))
            return succeed(opened[0])

        # Twisted's first port reserves a descriptor.
        self.wait(self.reactor.listenTCP(0, Factory(), interface="127.0.0.1").stopListening())
        before = descriptors()
        for endpoint, text in (
            (SharedEndpoint(self.reactor, "fasttcp:0:interface=127.0.0.1"), "expected --workers 1, or an endpoint"),
            (SharedEndpoint(self.reactor, "tcp6:0:interface=localhost"), "expected an IP address"),
            (PluginEndpoint(self.reactor, listenTwice), "expected an endpoint with one port"),
            (PluginEndpoint(self.reactor, listenLater), "expected --workers 1, or an endpoint"),
            (PluginEndpoint(self.reactor, listenElsewhere), "expected --workers 1, or an endpoint"),
        ):
            self.assertRaisesRegex(ValueError, text, endpoint.open)
            endpoint.close()
            self.turn()
            self.assertQuiet()
            self.assertEqual(descriptors(), before)

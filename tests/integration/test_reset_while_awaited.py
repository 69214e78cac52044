"""
A peer that resets its connection while a reply is awaited.
"""

from __future__ import annotations

import socket
import ssl
import struct
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import twisted.test
from twisted.internet.defer import Deferred

from sockservices import Outcome, Responder, Visit, streamService
from sockservices.conversation.transport import Transport
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.transports.bindings import InetBinding
from sockservices.transports.endpoints import StreamEndpoint
from tests.support.commands import TIMEOUT

PEM = Path(twisted.test.__file__).with_name("server.pem")


# Twisted passes certificates to pyOpenSSL in a way that pyOpenSSL deprecates.
@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
@pytest.mark.parametrize("transport", ["own", "tls", "plain"])
def test_reset(transport: str) -> None:
    """
    The transports of this package, also below TLS, report the reset at once: the reply is cancelled. Those of Twisted
    do not watch a paused connection: the conversation ends when the reply has come. Nothing is left after either.
    """
    if transport == "tls":
        pytest.importorskip("OpenSSL")
    replies = Queue[Deferred[bytes]]()
    cancelled = Queue[Any]()
    visits = Queue[Visit]()

    class Awaiting(Responder):
        name = "awaiting"
        port = 0

        def answer(self, message: bytes) -> Any:
            reply = Deferred[bytes](cancelled.put)
            replies.put(reply)
            return reply

    def start() -> Any:
        reactor = background.reactor
        plain = StreamEndpoint(reactor, InetBinding(Transport.TCP, 0), plain=True)
        tls = f"ssl:0:privateKey={PEM}:certKey={PEM}:interface=127.0.0.1"
        endpoint: Any = {"own": "tcp:0", "tls": tls, "plain": plain}[transport]
        service = streamService(endpoint, Awaiting, reactor=reactor, record=visits.put)
        service.startService()
        return service

    with BackgroundReactor() as background:
        service = background.call(start)
        client = socket.create_connection(("127.0.0.1", service.port.getHost().port), TIMEOUT)
        if transport == "tls":
            client = ssl._create_unverified_context().wrap_socket(client)
        with client:
            client.sendall(b"hello")
            reply = replies.get(timeout=TIMEOUT)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if transport == "plain":
            background.runTurns(3)
            assert visits.empty()
            background.call(reply.callback, b"too late")
        visit = visits.get(timeout=TIMEOUT)
        assert visit.outcome is Outcome.RESET
        assert cancelled.empty() is (transport == "plain")
        background.runTurns(1)
        assert background.reactor.getDelayedCalls() == []
        background.call(service.stopService)
        assert background.reactor.getReaders() == list(background.reactor._internalReaders)

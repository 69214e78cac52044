"""
C{startTLS} of connections.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import twisted.test
from twisted.internet.interfaces import ISSLTransport

from tests.support.stream_ports import ConnectionCase, StreamRecorder

ssl = pytest.importorskip("ssl")
tls = pytest.importorskip("twisted.internet.ssl", exc_type=ImportError)


class StartTLSTests(ConnectionCase):
    """
    C{startTLS} of a TCP connection.
    """

    def untilReady(self, step: Callable[[], object]) -> Any:
        """
        Try a step of a non-blocking TLS client until it succeeds. @return: its result.
        """
        results: list[Any] = []

        def succeeded() -> bool:
            try:
                results.append(step())
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            return True

        self.until(succeeded)
        return results[0]

    def test_startTLS(self) -> None:
        """
        After C{startTLS} nothing is written in plain text, and data and the close pass over TLS.
        """
        certificate = str(Path(twisted.test.__file__).with_name("server.pem"))
        # Twisted delays a shorter write until the global reactor runs.
        secret = os.urandom(70000)
        client, protocol, transport = self.openConnection()

        def received(protocol: StreamRecorder, data: bytes) -> None:
            transport.write(b"plain")
            transport.startTLS(tls.DefaultOpenSSLContextFactory(certificate, certificate))
            self.assertTrue(ISSLTransport.providedBy(transport))
            transport.write(secret)
            transport.writeSequence([secret, secret])

        self.received = received
        client.sendall(b"hello")
        self.assertEqual(self.receive(client, 5), b"plain")
        self.turn(3)
        self.assertRaises(BlockingIOError, client.recv, 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        secure: Any = self.closeLater(context.wrap_socket(client, do_handshake_on_connect=False))
        self.untilReady(secure.do_handshake)
        output = b""
        while len(output) < 3 * len(secret):
            output += self.untilReady(lambda: secure.recv(1 << 17))
        self.assertTrue(output == secret * 3)
        protocol.segments.clear()
        self.received = lambda protocol, data: transport.loseConnection()
        self.untilReady(lambda: secure.send(b"hello"))
        self.assertEqual((self.untilReady(lambda: secure.recv(100)), protocol.segments), (b"", [b"hello"]))
        secure.close()
        self.waitForEvents(protocol)

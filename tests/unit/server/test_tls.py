"""
Services at Twisted's own TLS endpoints.
"""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import twisted.test
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Census, Outcome, StreamFactory, Visit, streamService
from sockservices.responders import Echo, Upper, Welcome
from tests.support.loop import TIMEOUT, LoopCase
from tests.support.peer import PEER, LogCase

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
except ImportError:
    x509 = None  # type: ignore[assignment]

CERTIFICATE = str(Path(twisted.test.__file__).with_name("server.pem"))


class WrappedFactoryTests(SynchronousTestCase):
    """
    Tests for L{StreamFactory.wrapped}.
    """

    def test_unconnectedIsReleased(self) -> None:
        """
        A connection that was admitted, and whose protocol was never connected, is released in the next turn.
        """
        clock, census, visits = Clock(), Census(), list[Visit]()
        factory = StreamFactory(Echo, record=visits.append, clock=clock, census=census)
        factory.wrapped = True
        factory.buildProtocol(PEER)
        self.assertEqual(census.connections, 1)
        clock.advance(0)
        self.assertEqual((census.connections, [visit.outcome for visit in visits]), (0, [Outcome.RESET]))

    def test_connectedIsKept(self) -> None:
        """
        One that is connected stays, and is released once.
        """
        clock, census = Clock(), Census()
        factory = StreamFactory(Echo, record=lambda _: None, clock=clock, census=census)
        factory.wrapped = True
        for lose in (False, True):
            protocol: Any = factory.buildProtocol(PEER)
            protocol.makeConnection(StringTransport(peerAddress=PEER))
            if lose:
                protocol.connectionLost(Failure(ConnectionAborted()))
            clock.advance(0)
        self.assertEqual(census.connections, 1)
        factory.abortAll()
        for protocol in list(factory.protocols):
            protocol.connectionLost(Failure(ConnectionAborted()))


class TLSServiceTests(LoopCase, LogCase):
    """
    Tests of C{ssl:} over sockets.
    """

    if x509 is None:
        skip = "pyOpenSSL is not installed"

    #: Twisted passes certificates to pyOpenSSL in a way that pyOpenSSL deprecates.
    suppress: ClassVar = [(["ignore"], {"category": DeprecationWarning})]

    def setUp(self) -> None:
        """
        Observe the log, and make a reactor.
        """
        LoopCase.setUp(self)
        LogCase.setUp(self)

    def serve(self, endpoint: str, responder: Any, census: Census, visits: list[Visit]) -> Any:
        """
        A service that is stopped after the test.

        @return: its address.
        """
        service = streamService(endpoint, responder, reactor=self.reactor, census=census, record=visits.append)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        assert service.port is not None
        return service.port.getHost()

    def test_badCertificate(self) -> None:
        """
        With a certificate that TLS refuses each connection is reset: none stays counted, and the log has one line and
        no traceback.
        """
        key = rsa.generate_private_key(65537, 1024)
        name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        path = self.folder / "weak.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
            + builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
        )
        census, visits = Census(), list[Visit]()
        secure = self.serve(f"ssl:0:interface=127.0.0.1:privateKey={path}", Echo, census, visits)
        plain = self.serve("tcp:0", Upper, census, visits)
        for _ in range(5):
            client = self.connect(secure)
            client.sendall(b"\x16\x03\x01")
            with self.assertRaises(ConnectionResetError):
                self.receive(client)
        self.until(lambda: len(visits) == 5)
        self.assertEqual((census.connections, census.outcomes), (0, {Outcome.RESET: 5}))
        client = self.connect(plain)
        client.sendall(b"words")
        self.assertEqual(self.receive(client, 5), b"WORDS")
        failures = [line for line in self.lines() if "failed" in line]
        self.assertEqual(len(failures), 1)
        self.assertIn("ee key too small", failures[0])

    def test_goodCertificate(self) -> None:
        """
        With a usable certificate the service is served over TLS.
        """
        visits = list[Visit]()
        address = self.serve(f"ssl:0:interface=127.0.0.1:privateKey={CERTIFICATE}", Welcome, Census(), visits)
        context = ssl.create_default_context(cafile=CERTIFICATE)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        received = list[bytes]()

        def run() -> None:
            with (
                socket.create_connection(("127.0.0.1", address.port), TIMEOUT) as client,
                context.wrap_socket(client) as secure,
            ):
                secure.sendall(b"1")
                received.append(secure.recv(100))

        thread = threading.Thread(target=run)
        thread.start()
        self.until(lambda: visits)
        thread.join()
        self.assertEqual((received, visits[0].outcome), ([b"welcome to server!"], Outcome.FINISHED))

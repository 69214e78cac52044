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

from sockservices import Census, Outcome, Visit, streamService
from sockservices.responders import Echo, Upper, Welcome
from tests.support.loop import LoopCase
from tests.support.peer import LogCase

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
except ImportError:
    x509 = None  # type: ignore[assignment]

CERTIFICATE = str(Path(twisted.test.__file__).with_name("server.pem"))


class TLSServiceTests(LoopCase, LogCase):
    """
    C{ssl:} endpoints over sockets.
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
        self.census = Census()
        self.visits: list[Visit] = []

    def serve(self, endpoint: str, responder: Any) -> Any:
        """
        Start a service that is stopped after the test.

        @return: its address.
        """
        service = streamService(
            endpoint, responder, reactor=self.reactor, census=self.census, record=self.visits.append
        )
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        assert service.port is not None
        return service.port.getHost()

    def test_badCertificate(self) -> None:
        """
        With a certificate that TLS rejects, each connection is reset, and is not counted as open. The log has one line
        and no traceback.
        """
        key = rsa.generate_private_key(65537, 1024)
        name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        path = self.folder / "weak.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
            + builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
        )
        secure = self.serve(f"ssl:0:interface=127.0.0.1:privateKey={path}", Echo)
        plain = self.serve("tcp:0", Upper)
        for _ in range(5):
            client = self.connect(secure)
            client.sendall(b"\x16\x03\x01")
            with self.assertRaises(ConnectionResetError):
                self.receive(client)
        self.until(lambda: len(self.visits) == 5)
        self.assertEqual((self.census.connections, self.census.outcomes), (0, {Outcome.RESET: 5}))
        client = self.connect(plain)
        client.sendall(b"hello")
        self.assertEqual(self.receive(client, 5), b"HELLO")
        failures = [line for line in self.lines() if "failed" in line]
        self.assertEqual(len(failures), 1)
        self.assertIn("ee key too small", failures[0])

    def test_goodCertificate(self) -> None:
        """
        With a certificate that TLS accepts, the service is served over TLS.
        """
        address = self.serve(f"ssl:0:interface=127.0.0.1:privateKey={CERTIFICATE}", Welcome)
        context = ssl.create_default_context(cafile=CERTIFICATE)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        received = list[bytes]()

        def run() -> None:
            with (
                socket.create_connection(("127.0.0.1", address.port), 10) as client,
                context.wrap_socket(client) as secure,
            ):
                secure.sendall(b"1")
                received.append(secure.recv(100))

        thread = threading.Thread(target=run)
        thread.start()
        self.until(lambda: self.visits)
        thread.join()
        self.assertEqual((received, self.visits[0].outcome), ([b"welcome to server!"], Outcome.FINISHED))

"""
Targets and their URLs.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.client import Target, target
from sockservices.conversation.transport import Transport
from sockservices.text.values import quoted
from sockservices.transports.bindings import UnixBinding

URLS = "expected tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH"
HOST_PORT = "expected HOST:PORT; put an IPv6 address in brackets"

#: Valid URLs, with the transport and address.
VALID: tuple[tuple[str, str, object], ...] = (
    ("tcp://127.0.0.1:8007", "tcp", ("127.0.0.1", 8007)),
    ("udp://127.0.0.1:1", "udp", ("127.0.0.1", 1)),
    ("tcp://[::1]:65535", "tcp", ("::1", 65535)),
    ("udp://[fe80::1%eth0]:8007", "udp", ("fe80::1%eth0", 8007)),
    ("tcp://[::ffff:192.0.2.1]:8007", "tcp", ("::ffff:192.0.2.1", 8007)),
    ("tcp://localhost:08007", "tcp", ("localhost", 8007)),
    ("tcp://localhost:8007/", "tcp", ("localhost", 8007)),
    ("udp://b\xfccher.example:8007", "udp", ("b\xfccher.example", 8007)),
    ("tcp://_under_score.example.:8007", "tcp", ("_under_score.example.", 8007)),
    ("unix:///run/echo.sock", "unix", "/run/echo.sock"),
    ("unix:///run/echo sock:8007", "unix", "/run/echo sock:8007"),
    ("unix:///not/\udce9/text", "unix", "/not/\udce9/text"),
    ("unixgram://@echo", "unixgram", "@echo"),
    ("unix:///" + "x" * 106, "unix", "/" + "x" * 106),
)

#: The texts of targets that differ from the URLs above.
OTHER_TEXTS = dict.fromkeys(("tcp://localhost:08007", "tcp://localhost:8007/"), "tcp://localhost:8007")

#: Invalid URLs, with the error message.
INVALID = (
    *((url, URLS) for url in ("", "127.0.0.1:8007", "tcp:127.0.0.1:8007", "http://a:8007")),
    *(
        (f"tcp://{address}", HOST_PORT)
        for address in (
            *("", "127.0.0.1", ":8007", "::1:8007", "[::1]", "[]:8007", "[::1:8007", "[127.0.0.1]:8007"),
            *("[a name]:8007", "a name:8007", "a\0name:8007", "a\nname:8007", "not\udce9text:8007", "a:8007/path"),
        )
    ),
    *(
        (f"udp://127.0.0.1:{port}", f"port {quoted(port)}: expected 1 to 65535")
        for port in ("", "0", "65536", "-1", "echo", "\u0667", "9" * 5000)
    ),
)


class TargetTests(SynchronousTestCase):
    """
    Tests for L{Target} and L{target}.
    """

    def test_valid(self) -> None:
        """
        A URL has host and port, an IPv6 address in brackets, a path, or a name in the abstract namespace. The text of a
        target is its URL.
        """
        for url, transport, address in VALID:
            parsed = target(url)
            self.assertEqual((parsed.transport, parsed.address), (transport, address), url)
            self.assertEqual(parsed.stream, transport in ("tcp", "unix"))
            self.assertEqual(str(parsed), OTHER_TEXTS.get(url, url))

    def test_invalid(self) -> None:
        """
        The error gives the URL and what was expected.
        """
        for url, description in INVALID:
            error = self.assertRaises(ValueError, target, url)
            self.assertEqual(str(error), f"{quoted(url)}: {description}")

    def test_invalidPath(self) -> None:
        """
        The paths of Unix sockets have the limits, and the errors, of the server's bindings.
        """
        for path in ("", "/a\0b", "/" + "x" * 107, "/\ud800"):
            for transport in (Transport.UNIX, Transport.UNIXGRAM):
                expected = self.assertRaises(ValueError, UnixBinding, transport, path)
                url = f"{transport}://{path}"
                error = self.assertRaises(ValueError, target, url)
                self.assertEqual(str(error), f"{quoted(url)}: {expected}")
                self.assertTrue(str(error).isprintable())

    @settings(deadline=None, max_examples=500)
    @given(
        url=st.one_of(
            st.text(),
            st.builds("{}://{}".format, st.sampled_from(["tcp", "udp", "unix", "unixgram", "TCP", ""]), st.text()),
            st.from_regex(r"(tcp|udp)://(\[[0-9a-f:%.\w ]*\]|[^:]*):[0-9]{0,6}/?", fullmatch=True),
            st.from_regex(r"(unix|unixgram)://@?/?.{0,120}", fullmatch=True),
        )
    )
    def test_anyText(self, url: str) -> None:
        """
        Any text is either rejected with one line, or parsed to a target whose own URL gives the same target.
        """
        try:
            parsed = target(url)
        except ValueError as error:
            self.assertTrue(str(error).startswith(f"{quoted(url)}: ") and len(str(error).splitlines()) == 1, str(error))
        else:
            self.assertEqual(target(str(parsed)), parsed)
            self.assertEqual(str(target(str(parsed))), str(parsed))
            if parsed.stream:
                parsed.endpoint(MemoryReactorClock())

    @settings(deadline=None, max_examples=200)
    @given(address=st.ip_addresses().map(str), port=st.integers(1, 65535), transport=st.sampled_from(["tcp", "udp"]))
    def test_anyAddress(self, address: str, port: int, transport: str) -> None:
        """
        The URL of any IP address and port gives the same target.
        """
        original = Target(transport, (address, port))
        self.assertEqual(target(str(original)), original)

    def test_endpoint(self) -> None:
        """
        Only host names get an endpoint that resolves names. The kernel's name for C{@name} begins with a NUL (unix(7)).
        """
        for url, kind in (
            ("tcp://127.0.0.1:8007", TCP4ClientEndpoint),
            ("tcp://[::1]:8007", TCP6ClientEndpoint),
            ("tcp://[fe80::1%eth0]:8007", TCP6ClientEndpoint),
            ("tcp://localhost:8007", HostnameEndpoint),
            ("unix:///run/echo.sock", UNIXClientEndpoint),
        ):
            self.assertIsInstance(target(url).endpoint(MemoryReactorClock()), kind)
        for url, path in (("unix:///run/echo.sock", "/run/echo.sock"), ("unix://@echo", "\0echo")):
            reactor = MemoryReactorClock()
            factory: Any = None
            target(url).endpoint(reactor).connect(factory)
            self.assertEqual(reactor.unixClients[0][0], path)

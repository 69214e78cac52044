"""
Where to ask, as URLs.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.client import Target, target

#: Much that looks like a URL, and much that does not.
TEXTS = st.one_of(
    st.text(),
    st.builds("{}://{}".format, st.sampled_from(["tcp", "udp", "unix", "unixgram", "TCP", ""]), st.text()),
    st.from_regex(r"(tcp|udp)://(\[[0-9a-f:%.\w ]*\]|[^:]*):[0-9]{0,6}/?", fullmatch=True),
    st.from_regex(r"(unix|unixgram)://@?/?.{0,120}", fullmatch=True),
)


class TargetTests(SynchronousTestCase):
    """
    URLs.
    """

    def test_good(self) -> None:
        """
        Host and port, an IPv6 address in brackets, a path, or a name in the abstract namespace.
        """
        for url, transport, address in (
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
            ("unix://beside/echo sock:8007", "unix", "beside/echo sock:8007"),
            ("unix:///not/\udce9/text", "unix", "/not/\udce9/text"),
            ("unixgram://@echo", "unixgram", "@echo"),
            ("unix:///" + "x" * 106, "unix", "/" + "x" * 106),
        ):
            place = target(url)
            self.assertEqual((place.transport, place.address), (transport, address), url)
            self.assertEqual(place.stream, transport in ("tcp", "unix"))

    def test_bad(self) -> None:
        """
        Anything else is told so, in one line with what was given.
        """
        for url, wanted in (
            ("", "tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH is wanted"),
            ("127.0.0.1:8007", "tcp://HOST:PORT"),
            ("tcp:127.0.0.1:8007", "tcp://HOST:PORT"),
            ("TCP://127.0.0.1:8007", "tcp://HOST:PORT"),
            ("http://127.0.0.1:8007", "tcp://HOST:PORT"),
            ("tcp://", "HOST:PORT is wanted"),
            ("tcp://127.0.0.1", "HOST:PORT is wanted"),
            ("tcp://:8007", "HOST:PORT is wanted"),
            ("tcp://::1:8007", "an IPv6 address in brackets"),
            ("tcp://[::1]", "HOST:PORT is wanted"),
            ("tcp://[]:8007", "HOST:PORT is wanted"),
            ("tcp://[::1:8007", "HOST:PORT is wanted"),
            ("tcp://[127.0.0.1]:8007", "an IPv6 address in brackets"),
            ("tcp://[a name]:8007", "an IPv6 address in brackets"),
            ("tcp://a name:8007", "HOST:PORT is wanted"),
            ("tcp://a\0name:8007", "HOST:PORT is wanted"),
            ("tcp://a\nname:8007", "HOST:PORT is wanted"),
            ("tcp://not\udce9text:8007", "HOST:PORT is wanted"),
            ("tcp://127.0.0.1:8007/path", "HOST:PORT is wanted"),
            ("tcp://127.0.0.1:", "port '': 1 to 65535 is wanted"),
            ("udp://127.0.0.1:0", "port '0': 1 to 65535 is wanted"),
            ("tcp://127.0.0.1:65536", "port '65536': 1 to 65535 is wanted"),
            ("tcp://127.0.0.1:-1", "port '-1': 1 to 65535 is wanted"),
            ("tcp://127.0.0.1:echo", "port 'echo': 1 to 65535 is wanted"),
            ("tcp://127.0.0.1:\u0667", "1 to 65535 is wanted"),
            ("tcp://127.0.0.1:" + "9" * 5000, "1 to 65535 is wanted"),
            ("unix://", "expected the path of a socket"),
            ("unixgram:///a\0b", "expected the path of a socket"),
            ("unix:///" + "x" * 107, "at most 107 bytes, not 108"),
            ("unix:///\ud800", "surrogates not allowed"),
        ):
            fault = self.assertRaises(ValueError, target, url)
            self.assertTrue(str(fault).startswith(f"{url!r}: ") and str(fault).isprintable(), str(fault))
            self.assertIn(wanted, str(fault))

    @settings(deadline=None, max_examples=500)
    @given(url=TEXTS)
    def test_anyText(self, url: str) -> None:
        """
        Any text is a good URL or is told so in one line; and a good one can be written as one again.
        """
        try:
            place = target(url)
        except ValueError as fault:
            self.assertTrue(str(fault).startswith(f"{url!r}: ") and len(str(fault).splitlines()) == 1, str(fault))
        else:
            self.assertEqual(target(str(place)), place)
            self.assertEqual(str(target(str(place))), str(place))
            if place.stream:
                place.endpoint(MemoryReactorClock())

    @settings(deadline=None, max_examples=200)
    @given(address=st.ip_addresses().map(str), port=st.integers(1, 65535), transport=st.sampled_from(["tcp", "udp"]))
    def test_anyAddress(self, address: str, port: int, transport: str) -> None:
        """
        Any IP address and port is a place, and so written that it can be read.
        """
        place = Target(transport, (address, port))
        self.assertEqual(target(str(place)), place)

    def test_text(self) -> None:
        """
        As text it is the URL.
        """
        for url in ("tcp://127.0.0.1:8007", "udp://[::1]:8007", "unix:///run/echo.sock", "unixgram://@echo"):
            self.assertEqual(str(target(url)), url)

    def test_endpoints(self) -> None:
        """
        The way there is one of Twisted's: only names have to be looked up.
        """
        for url, kind in (
            ("tcp://127.0.0.1:8007", TCP4ClientEndpoint),
            ("tcp://[::1]:8007", TCP6ClientEndpoint),
            ("tcp://[fe80::1%eth0]:8007", TCP6ClientEndpoint),
            ("tcp://localhost:8007", HostnameEndpoint),
            ("unix:///run/echo.sock", UNIXClientEndpoint),
        ):
            self.assertIsInstance(target(url).endpoint(MemoryReactorClock()), kind)

    def test_unixEndpoints(self) -> None:
        """
        Names in the abstract namespace begin with a NUL for the kernel.
        """
        for url, path in (("unix:///run/echo.sock", "/run/echo.sock"), ("unix://@echo", "\0echo")):
            reactor = MemoryReactorClock()
            factory: Any = None
            target(url).endpoint(reactor).connect(factory)
            self.assertEqual(reactor.unixClients[0][0], path)

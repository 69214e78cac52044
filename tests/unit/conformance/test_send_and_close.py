"""
The cases of greet, qotd, users, daytime, time and whoami against servers that deviate.
"""

from __future__ import annotations

import struct
from typing import Any

from sockservices import Policy
from sockservices.conformance import Timing
from tests.support.conformance import ConformanceCase, callbackFactory, responderOf

#: The time of the local clock: 2026-11-21 00:26:40 UTC.
NOW = 1795220800

#: Seconds from 1900 to 1970.
UNIX_EPOCH = 2208988800


class SendAndCloseTests(ConformanceCase):
    """
    The cases that these services share.
    """

    def test_deviations(self) -> None:
        """
        A service that does not close, waits for a request, or resets the connection when it receives input fails, and
        so does one that replies to an empty datagram only.
        """

        def closeLater(transport: Any) -> None:
            transport.write(b"connected")
            self.reactor.callLater(0.05, transport.loseConnection)

        def both(seen: str) -> list[str]:
            return [f"tcp sends without a request -> {seen}", f'tcp sends "connected" -> {seen}']

        open_ = self.listen(callbackFactory(lambda transport: transport.write(b"connected")))
        waiting = self.serve(responderOf(answer=lambda _: b"connected", close=True))
        resetting = self.listen(callbackFactory(closeLater, lambda transport, data: transport.abortConnection()))
        empty = self.serve(responderOf(answer=lambda data: None if data else b"connected", close=True), tcp=False)
        self.assertFailing(
            "greet",
            (open_, both("b'connected', then nothing (incomplete)")),
            (waiting, both("nothing (no-answer)")),
            (resetting, ["tcp ignores input -> b'connected', then reset"]),
            (empty, ["udp replies to any datagram -> a reply to an empty datagram, no reply to 512 bytes"]),
        )

    def test_noData(self) -> None:
        """
        A service that closes without data fails, except C{users}, whose list may be empty.
        """
        port = self.listen(callbackFactory(lambda transport: transport.loseConnection()))
        self.assertFailing("users", (port, []))
        cases = ("sends without a request", "ignores input", "printable ASCII")
        self.assertFailing("qotd", (port, [f"tcp {case} -> no data, then eof" for case in cases]))

    def test_endlessTrickle(self) -> None:
        """
        A service that sends a byte before each timeout, forever, fails after five timeouts.
        """

        def trickle(transport: Any) -> None:
            transport.write(b".")
            if transport.connected:
                self.reactor.callLater(0.02, trickle, transport)

        port = self.listen(callbackFactory(trickle))
        timing = Timing(responseTimeout=0.1, connectionInterval=0, datagramInterval=0)
        failing = ["tcp sends without a request -> b'...', then more data", 'tcp "connected" -> ...']
        self.assertFailing("greet", (port, failing), timing=timing)


NOW_SINCE_1900 = NOW + UNIX_EPOCH

#: For each service: the data that it sends, and the failing rows without their transport.
DATA: dict[str, list[tuple[bytes, list[str]]]] = {
    # "connected" in lower case.
    "greet": [(b"Connected", ["sends \"connected\" -> b'Connected'"])],
    # A quote is printable, is not blank, and has at most 511 characters.
    "qotd": [
        (b"q" * 511, []),
        (b"q" * 512, ["fewer than 512 -> 512 characters"]),
        (b"caf\xe9\r\n", ["printable ASCII -> b'\\xe9' in b'caf\\xe9\\r\\n'"]),
        (b"\r\n", ["printable ASCII -> b'\\r\\n'..."]),
    ],
    # Each line holds one user, is printable, is not empty, and ends with CR LF.
    "users": [
        (b"ada\r\ngrace hopper\r\n", []),
        (b"ad\x07\r\n", ["one user a line -> b'\\x07' in b'ad\\x07\\r\\n'"]),
        *(
            (data, [f"one user a line -> {data!r}..."])
            for data in (b"ada", b"ada\n", b"ada\r\ngrace", b"ada\r\n\r\n", b"ada\ngrace\r\n", b"ada\rgrace\r\n")
        ),
    ],
    # One line with the time of day, in any format and any time zone.
    "daytime": [
        *(
            (data, [])
            for data in (
                b"Sat Nov 21 00:26:40 2026\r\n",
                b"21 NOV 2026 05:56:40 IST\n",
                b"Saturday, November 21, 2026 19:41:39-XST",
                b"61365 26-11-21 00:27:39 00 0 0 500.0 UTC(NIST) *\r\n",
                b"0:26",
            )
        ),
        *(
            (data, [f"time of day -> {data!r}..."])
            for data in (b"Sat Nov 21 00:28:40 2026\r\n", b"Sat Nov 21 2026\r\n", b"1:2:3:4\r\n")
        ),
        (b"00:26:40\r\n00:26:40\r\n", ["one line -> b'00:26:40\\r\\n00:26:40\\r\\n'..."]),
        (b"00:26:40\0", ["one line -> b'\\x00' in b'00:26:40\\x00'"]),
    ],
    # Four bytes in network byte order, which count from 1900, and differ by less than a minute.
    "time": [
        (struct.pack("!I", NOW_SINCE_1900 + 59), []),
        (struct.pack("!I", NOW_SINCE_1900 - 3600), [f"since 1900 -> {NOW_SINCE_1900 - 3600} in b'..."]),
        (struct.pack("!I", NOW), [f"since 1900 -> {NOW}: it counts from 1970"]),
        (struct.pack("<I", NOW_SINCE_1900), ["since 1900 -> ... in b'..."]),
        (struct.pack("!Q", NOW_SINCE_1900), ["four bytes -> b'\\x00\\x00\\x00\\x00...", "since 1900 -> 0 in b'..."]),
    ],
    # One line of JSON, an object, whose peer is the client's address.
    "whoami": [
        (data, [f"the client's address -> {seen}"])
        for data, seen in (
            (b'{"peer": "192.0.2.1:7"}\n', "peer b'192.0.2.1:7'"),
            (b"[]\n", "b'[]\\n'..."),
            (b"{}\n", "peer b'None'"),
            (b'{"peer": "\\ud800"}\n', "...ud800..."),
            (b"{", "b'{'..."),
            (b"[" * 100_000, "...of 100000..."),
        )
    ],
}


class DataTests(ConformanceCase):
    """
    The cases of the data that each service sends.
    """

    def assertData(self, service: str, *table: tuple[bytes, list[str]], now: int = NOW) -> None:
        """
        Check that a service that sends the given data fails the given cases, over both transports.

        @param table: rows of L{DATA}.
        """
        servers = []
        for data, rows in table:
            # The server sends no datagram of more than 512 bytes, the limit of the RFCs.
            transports = ("tcp", "udp") if len(data) <= 512 else ("tcp",)
            port = self.serve(responderOf(data, close=True), Policy(udpRfcSize=True), udp="udp" in transports)
            servers.append((port, [f"{transport} {row}" for transport in transports for row in rows]))
        self.assertFailing(service, *servers, now=lambda: float(now))

    def test_data(self) -> None:
        """
        Data that the RFC or the tutorial allows passes, and other data fails.
        """
        for service, table in DATA.items():
            self.assertData(service, *table)

    def test_timeAfterOverflow(self) -> None:
        """
        After the overflow of four bytes in 2036, a C{time} from shortly before the overflow still passes.
        """
        self.assertData("time", (struct.pack("!I", 2**32 - 10), []), now=2**32 - UNIX_EPOCH + 5)

"""
The cases of greet, qotd, users, daytime, time and whoami against servers that deviate.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any

from sockservices import Policy
from sockservices.conformance import Result, Timing
from tests.support.conformance import ConformanceCase, Failing, callbackFactory, responderOf

NO_TCP = ("tcp", "is offered", "refused")
NO_UDP = ("udp", "is offered", "refused")

#: The time of the local clock: 2026-11-21 00:26:40 UTC.
NOW = 1795220800

#: Seconds from 1900 to 1970.
UNIX_EPOCH = 2208988800


class SendAndCloseTests(ConformanceCase):
    """
    The cases that all these services share.
    """

    UNASKED = ("tcp", "sends without a request")
    IGNORES = ("tcp", "ignores input")

    def test_deviations(self) -> None:
        """
        A service that does not close, waits for a request, or resets the connection when it receives input fails.
        """

        def closeLater(transport: Any) -> None:
            transport.write(b"connected")
            self.reactor.callLater(0.05, transport.loseConnection)

        waits = "no data, then timeout"
        only = ("tcp", 'sends "connected"')
        stays = "b'connected', then timeout"
        self.assertFailing(
            "greet",
            (
                self.listen(callbackFactory(lambda transport: transport.write(b"connected"))),
                [(*self.UNASKED, stays), (*only, stays), NO_UDP],
            ),
            (
                self.serve(responderOf(answer=lambda _: b"connected", close=True)),
                [(*self.UNASKED, waits), (*only, waits)],
            ),
            (
                self.listen(callbackFactory(closeLater, lambda transport, data: transport.abortConnection())),
                [(*self.IGNORES, "b'connected', then reset"), NO_UDP],
            ),
        )

    def test_noData(self) -> None:
        """
        A service that closes without data fails, except C{users}, whose list may be empty.
        """
        port = self.listen(callbackFactory(lambda transport: transport.loseConnection()))
        self.assertFailing("users", (port, [NO_UDP]))
        empty = "no data, then eof"
        characters = ("tcp", "printable ASCII", empty)
        self.assertFailing("qotd", (port, [(*self.UNASKED, empty), (*self.IGNORES, empty), characters, NO_UDP]))

    def test_endlessTrickle(self) -> None:
        """
        A service that sends a byte before each timeout, forever, fails after five timeouts.
        """

        def trickle(transport: Any) -> None:
            transport.write(b".")
            if transport.connected:
                self.reactor.callLater(0.02, trickle, transport)

        seen = re.compile(r"^b'\.+', then more data$")
        port = self.listen(callbackFactory(trickle))
        timing = Timing(responseTimeout=0.1, connectionInterval=0, datagramInterval=0)
        failing: list[Failing] = [(*self.UNASKED, seen), ("tcp", 'sends "connected"', re.compile("")), NO_UDP]
        self.assertFailing("greet", (port, failing), timing=timing)

    def test_replyToEmptyDatagramOnly(self) -> None:
        """
        A service that replies to an empty datagram and not to a long one fails.
        """
        port = self.serve(responderOf(answer=lambda data: None if data else b"connected", close=True), tcp=False)
        seen = "a reply to an empty datagram, no reply to 512 bytes"
        (rows,) = self.assertFailing("greet", (port, [NO_TCP, ("udp", "replies to any datagram", seen)]))
        self.assertIs(rows[1].result, Result.FAIL)


class DataTests(ConformanceCase):
    """
    The cases of the data that each service sends.
    """

    def assertData(self, service: str, *table: tuple[bytes, list[tuple[str, str]]]) -> None:
        """
        Check that a service that sends the given data fails these cases, on both transports.

        @param table: the data; parts of the sentence and of what was seen of each case that fails.
        """
        policy = Policy(udpRfcSize=True)
        servers = []
        for data, failing in table:
            rows = [
                (transport, sentence, re.compile(re.escape(seen)))
                for transport in ("tcp", "udp")
                for sentence, seen in failing
            ]
            servers.append((self.serve(responderOf(data, close=True), policy), rows))
        for found in self.assertFailing(service, *servers, now=lambda: float(NOW)):
            self.assertLessEqual({row.result for row in found}, {Result.FAIL})

    def test_greet(self) -> None:
        """
        The greeting is C{connected} in lower case.
        """
        self.assertData("greet", (b"Connected", [("connected", "b'Connected'")]))

    def test_qotd(self) -> None:
        """
        A quote is printable, is not blank, and has at most 511 characters.
        """
        characters = "printable ASCII"
        self.assertData(
            "qotd",
            (b"q" * 511, []),
            (b"q" * 512, [("fewer than 512", "512 characters")]),
            (b"caf\xe9\r\n", [(characters, "b'\\xe9' in b'caf\\xe9\\r\\n'")]),
            (b"\r\n", [(characters, "b'\\r\\n'")]),
        )

    def test_users(self) -> None:
        """
        Each line holds one user, is printable, is not empty, and ends with CR LF.
        """
        lines = "one user a line"
        self.assertData(
            "users",
            (b"ada\r\ngrace hopper\r\n", []),
            (b"ad\x07\r\n", [(lines, "b'\\x07' in b'ad\\x07\\r\\n'")]),
            *(
                (wrong, [(lines, repr(wrong))])
                for wrong in (b"ada", b"ada\n", b"ada\r\ngrace", b"ada\r\n\r\n", b"ada\ngrace\r\n", b"ada\rgrace\r\n")
            ),
        )

    def test_daytime(self) -> None:
        """
        The line holds the time of day, in any format and any time zone.
        """
        line, time = "one line", "time of day"
        formats = (
            b"Sat Nov 21 00:26:40 2026\r\n",
            b"21 NOV 2026 05:56:40 IST\n",
            b"Saturday, November 21, 2026 19:41:39-XST",
            b"61365 26-11-21 00:27:39 00 0 0 500.0 UTC(NIST) *\r\n",
            b"0:26",
        )
        wrong = (b"Sat Nov 21 00:28:40 2026\r\n", b"Sat Nov 21 2026\r\n", b"1:2:3:4\r\n")
        self.assertData(
            "daytime",
            *((data, []) for data in formats),
            *((data, [(time, repr(data))]) for data in wrong),
            (b"00:26:40\r\n00:26:40\r\n", [(line, "b'00:26:40\\r\\n00:26:40\\r\\n'")]),
            (b"00:26:40\0", [(line, "b'\\x00' in b'00:26:40\\x00'")]),
        )

    def test_time(self) -> None:
        """
        The time is four bytes in network byte order, counts from 1900, and differs by less than a minute.
        """
        four, count = "four bytes", "counts the seconds since 1900"
        now = NOW + UNIX_EPOCH
        self.assertData(
            "time",
            (struct.pack("!I", now + 59), []),
            (struct.pack("!I", now - 3600), [(count, f"{now - 3600} in b'")]),
            (struct.pack("!I", NOW), [(count, f"{NOW}: it counts from 1970")]),
            (struct.pack("<I", now), [(count, " in b'")]),
            (struct.pack("!Q", now), [(four, "b'\\x00\\x00\\x00\\x00"), (count, "0 in b'")]),
        )

    def test_timeAfter2036(self) -> None:
        """
        Shortly after the overflow of four bytes, a time from before the overflow is still within a minute.
        """
        port = self.serve(responderOf(struct.pack("!I", 2**32 - 10), close=True))
        self.assertFailing("time", (port, []), now=lambda: float(2**32 - UNIX_EPOCH + 5))

    def test_whoami(self) -> None:
        """
        The data is one line of JSON, an object, and its peer is the client's address.
        """
        table = (
            (json.dumps({"peer": "192.0.2.1:7"}).encode() + b"\n", "peer b'192.0.2.1:7'"),
            (b"[]\n", "b'[]\\n'"),
            (b"{}\n", "peer b'None'"),
            (b'{"peer": "\\ud800"}\n', "ud800"),
            (b"{", "b'{'"),
            (b"[" * 100_000, "of 100000"),
        )
        servers = []
        for data, seen in table:
            pattern = re.compile(re.escape(seen))
            overUdp = ("udp", "the client's address", pattern) if len(data) < 512 else NO_UDP
            port = self.serve(responderOf(data, close=True), Policy(udpRfcSize=True), udp=len(data) < 512)
            servers.append((port, [("tcp", "the client's address", pattern), overUdp]))
        self.assertFailing("whoami", *servers)

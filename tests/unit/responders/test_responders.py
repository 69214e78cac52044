"""
The names, ports and replies of the responders, byte by byte.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Environment, Responder
from sockservices.registry import find
from sockservices.responders import (
    Chargen,
    Daytime,
    Discard,
    Echo,
    Greet,
    Hello,
    Quote,
    Time,
    Upper,
    Users,
    Welcome,
    Whoami,
)
from tests.support.contract import NOW, conversation, datagramReply, streamReplies

#: Each service of this package: its class and its default port, which users have in their scripts.
SERVICES: dict[str, tuple[type[Responder], int]] = {
    "echo": (Echo, 8007),
    "discard": (Discard, 8009),
    "users": (Users, 8011),
    "daytime": (Daytime, 8013),
    "qotd": (Quote, 8017),
    "chargen": (Chargen, 8019),
    "time": (Time, 8037),
    "upper": (Upper, 8080),
    "welcome": (Welcome, 8001),
    "hello": (Hello, 2333),
    "greet": (Greet, 10000),
    "whoami": (Whoami, 8099),
}

WELCOME, REFUSAL = b"welcome to server!", b"please go out!"

#: Responder, the segments that the peer sends, and what it receives for each of them after the greeting.
STREAMS = (
    (Discard, [b"hello", b"from", b"client"], [b""] * 4),
    (Greet, [b"hello"], [b"connected"]),
    (Hello, [], [b""]),
    (Hello, [b"hi~", b"hi~ again", b"\0"], [b"", b"hello", b"hello", b"hello"]),
    (Welcome, [], [b"", REFUSAL]),
    *((Welcome, [message], [b"", WELCOME]) for message in (b"1", b"1\n", b"1\r\n")),
    # The first segment decides.
    (Welcome, [b"1", b"1", b"1"], [b"", WELCOME]),
    (Welcome, [b"2", b"1"], [b"", REFUSAL]),
)

#: Responder, the datagram that the peer sends, the limit of the reply, and the reply.
DATAGRAMS = (
    (Discard, b"", None, None),
    (Discard, b"hello", None, None),
    (Daytime, b"", 40, b"Sat Nov 21 00:26:40 2026\r\n"),
    (Time, b"", 40, (int(NOW) + 2208988800).to_bytes(4, "big")),
    (Greet, b"", 40, b"connected"),
    (Greet, b"hello", 40, b"connected"),
    (Hello, b"", 40, b"hello"),
    (Quote, b"", 1, None),
    *((Echo, message, max(len(message), 40), message) for message in (b"", b"\0", bytes(65507))),
    *((Welcome, message, 40, WELCOME) for message in (b"1", b"1\n", b"1\r\n")),
    *(
        (Welcome, message, 40, REFUSAL)
        for message in (b"2", b"", b"11", b"1 ", b" 1", b"1\r", b"1\n\n", b"\n", b"one", b"\xef\xbc\x91", bytes(9000))
    ),
)


class ServiceTests(SynchronousTestCase):
    """
    Tests for all services.
    """

    def test_namesAndPorts(self) -> None:
        """
        The services keep their names and ports.
        """
        self.assertEqual({name: (find(name), find(name).port) for name in SERVICES}, SERVICES)

    def test_finished(self) -> None:
        """
        The services that send all data in their greeting finish after it; the others wait for the peer to close.
        """
        finished = set()
        for name, (responder, _) in SERVICES.items():
            made = responder(conversation())
            made.greeting()
            if made.finished:
                finished.add(name)
            elif responder is not Welcome:
                made.answer(b"hello")
                self.assertFalse(made.finished, name)
        self.assertEqual(finished, {"users", "daytime", "qotd", "time", "greet", "whoami"})

    def test_declarations(self) -> None:
        """
        Only C{welcome} has a deadline, five seconds; only C{welcome} and C{hello} take each segment as a message.
        """
        deadlines = {name: responder.deadline for name, (responder, _) in SERVICES.items()}
        self.assertEqual(deadlines, {**dict.fromkeys(SERVICES), "welcome": 5.0})
        segments = {name for name, (responder, _) in SERVICES.items() if responder.message == "segment"}
        self.assertEqual(segments, {"welcome", "hello"})

    def test_streams(self) -> None:
        """
        Each segment gets its reply, until the responder has finished.
        """
        for responder, segments, replies in STREAMS:
            self.assertEqual(list(streamReplies(responder, segments)), replies, (responder, segments))

    def test_datagrams(self) -> None:
        """
        Each datagram gets its reply, or none.
        """
        for responder, datagram, limit, expected in DATAGRAMS:
            self.assertEqual(datagramReply(responder, datagram, limit), expected, (responder, datagram[:20]))

    @settings(deadline=None)
    @given(message=st.binary())
    def test_echo(self, message: bytes) -> None:
        """
        Echo returns any message unchanged.
        """
        self.assertEqual(Echo(conversation()).answer(message), message)

    def test_upper(self) -> None:
        """
        Upper changes the 26 lower-case letters of ASCII and no other byte, such as those of a letter in UTF-8.
        """
        every = bytes(range(256))
        letters = {letter: letter - 32 for letter in range(ord("a"), ord("z") + 1)}
        self.assertEqual(Upper(conversation()).answer(every), bytes(letters.get(byte, byte) for byte in every))
        self.assertEqual(Upper(conversation()).answer("straße ﬁ".encode()), "STRAßE ﬁ".encode())


class UsersTests(SynchronousTestCase):
    """
    Tests for L{Users} (RFC 866).
    """

    def greeting(self, users: list[str], limit: int | None = None) -> bytes:
        """
        Make the greeting for these logged-in users.
        """
        return Users(conversation("tcp" if limit is None else "udp", limit, users=lambda: users)).greeting()

    def test_lines(self) -> None:
        """
        Each session has one line, in the system's order; a character beyond ASCII is replaced.
        """
        for users, lines in (
            ([], b""),
            (["grace", "ada", "grace"], b"grace\r\nada\r\ngrace\r\n"),
            (["zoë"], b"zo?\r\n"),
            (["ada"] * 1000, b"ada\r\n" * 1000),
        ):
            self.assertEqual(self.greeting(users), lines)

    def test_limit(self) -> None:
        """
        A list that exceeds the limit ends after the last line that fits.
        """
        lines = b"ada\r\ngrace\r\nedsger\r\n"
        self.assertEqual(
            {limit: len(self.greeting(["ada", "grace", "edsger"], limit)) for limit in (4, 5, 11, 12, 19, 20, 21)},
            {4: 0, 5: 5, 11: 5, 12: 12, 19: 12, 20: 20, 21: 20},
        )
        self.assertEqual(self.greeting(["ada", "grace", "edsger"], 12), lines[:12])


class WhoamiTests(SynchronousTestCase):
    """
    Tests for L{Whoami}.
    """

    def fields(self, peer: IAddress | None, host: IAddress | None = None, transport: str = "tcp") -> dict[str, Any]:
        """
        Decode the greeting for a conversation between these addresses.
        """
        line = Whoami(Conversation(transport, peer, host, 7, None, Environment(server="here"))).greeting()
        self.assertEqual(line.splitlines(keepends=True), [line])
        self.assertTrue(line.isascii() and line.endswith(b"}\n"))
        fields: dict[str, Any] = json.loads(line)
        return fields

    def test_line(self) -> None:
        """
        The greeting is one line of JSON, which a limit does not cut: a part of it would be of no use.
        """
        line = (
            b'{"peer": "192.0.2.7:40000", "host": "192.0.2.1:8007", "transport": "%b", "serial": 7, "server": "here"}\n'
        )
        self.assertEqual(Whoami(conversation()).greeting(), line % b"tcp")
        self.assertEqual(datagramReply(Whoami, b"", 40), line % b"udp")

    def test_addresses(self) -> None:
        """
        IPv6 addresses are in brackets, Unix addresses are escaped paths, and no address is null.
        """
        ipv6 = IPv6Address("UDP", "2001:db8::7", 40000), IPv6Address("UDP", "::1", 8099)
        for peer, host, transport, texts in (
            (*ipv6, "udp", ("[2001:db8::7]:40000", "[::1]:8099")),
            (UNIXAddress(None), UNIXAddress("/run/whoami.sock"), "unix", (None, "/run/whoami.sock")),
            (UNIXAddress(b'/tmp/\n"\x1b\xff\\'), None, "unixgram", (r'/tmp/\n"\x1b\udcff\\', None)),
            (None, None, "tcp", (None, None)),
        ):
            fields = self.fields(peer, host, transport)
            self.assertEqual((fields["peer"], fields["host"], fields["transport"]), (*texts, transport))

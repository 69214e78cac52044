"""
The names, ports and declarations of the responders, and the replies of those without a format of their own.
"""

from __future__ import annotations

import json
from typing import Any

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
from tests.support.contract import conversation

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


class ServiceTests(SynchronousTestCase):
    """
    All services.
    """

    def test_namesAndPorts(self) -> None:
        """
        Each service has its documented name and port.
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

    def test_everyByte(self) -> None:
        """
        Echo changes no byte. Upper changes the 26 lower-case letters of ASCII and no other byte, such as those of a
        letter in UTF-8.
        """
        every = bytes(range(256))
        letters = {letter: letter - 32 for letter in range(ord("a"), ord("z") + 1)}
        self.assertEqual(Echo(conversation()).answer(every), every)
        self.assertEqual(Upper(conversation()).answer(every), bytes(letters.get(byte, byte) for byte in every))
        self.assertEqual(Upper(conversation()).answer("straße ﬁ".encode()), "STRAßE ﬁ".encode())


class UsersTests(SynchronousTestCase):
    """
    L{Users} (RFC 866).
    """

    def test_lines(self) -> None:
        """
        Each session has one line, in the system's order; a character beyond ASCII is replaced. A list that exceeds the
        limit ends after the last line that fits.
        """
        names = ["ada", "grace", "edsger"]
        lines = b"ada\r\ngrace\r\nedsger\r\n"
        for users, limit, expected in (
            ([], None, b""),
            (["grace", "ada", "grace"], None, b"grace\r\nada\r\ngrace\r\n"),
            (["zoë"], None, b"zo?\r\n"),
            (["ada"] * 1000, None, b"ada\r\n" * 1000),
            *((names, limit, lines[:end]) for limit, end in ((4, 0), (5, 5), (11, 5), (12, 12), (19, 12), (20, 20))),
        ):
            made = conversation("tcp" if limit is None else "udp", limit, users=lambda users=users: users)
            self.assertEqual(Users(made).greeting(), expected, limit)


class WhoamiTests(SynchronousTestCase):
    """
    L{Whoami}.
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
        The greeting is one whole line of JSON for any limit: a part of an object cannot be parsed.
        """
        line = (
            b'{"peer": "192.0.2.7:40000", "host": "192.0.2.1:8007", "transport": "%b", "serial": 7, "server": "here"}\n'
        )
        self.assertEqual(Whoami(conversation()).greeting(), line % b"tcp")
        self.assertEqual(Whoami(conversation("udp", 40)).greeting(), line % b"udp")

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

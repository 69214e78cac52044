"""
Every service's words, byte by byte, and the contract that all of them keep.
"""

from __future__ import annotations

import json
from calendar import timegm
from itertools import islice
from random import Random
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
from tests.support.contract import NOW, contracts, conversation, reply, speech

globals().update(contracts(__name__))


#: What comes with the package: by its name each class, and its port.
TABLE: dict[str, tuple[type[Responder], int]] = {
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


def at(*date: int) -> Conversation:
    """
    A conversation at a time: year, month, day and so on, UTC.
    """
    return conversation(now=lambda: float(timegm((*date, 0, 0, 0)[:6])))


class TableTests(SynchronousTestCase):
    """
    Tests for what holds for the services as a whole.
    """

    def test_namesAndPorts(self) -> None:
        """
        The services that come with the package keep their names and ports: users have them in their scripts.
        """
        self.assertEqual({name: (find(name), find(name).port) for name in TABLE}, TABLE)

    def test_whoEnds(self) -> None:
        """
        Those whose words are all in the opening hang up after it; the others leave it to the peer.
        """
        hangUp = set()
        for name, (responder, _) in TABLE.items():
            made = responder(conversation())
            made.greeting()
            if made.finished:
                hangUp.add(name)
            elif responder is not Welcome:
                made.answer(b"hello")
                self.assertFalse(made.finished, name)
        self.assertEqual(hangUp, {"users", "daytime", "qotd", "time", "greet", "whoami"})

    def test_onlyWelcomeHasADeadline(self) -> None:
        """
        Only C{welcome} ends a conversation whose peer keeps silent: after five seconds, as its tutorial does.
        """
        deadlines = {name: responder.deadline for name, (responder, _) in TABLE.items()}
        self.assertEqual(deadlines, {**dict.fromkeys(TABLE), "welcome": 5.0})

    def test_segments(self) -> None:
        """
        One read is one message only for the two tutorials that have it so.
        """
        segments = {name for name, (responder, _) in TABLE.items() if responder.message == "segment"}
        self.assertEqual(segments, {"welcome", "hello"})


class EchoTests(SynchronousTestCase):
    """
    Tests for L{Echo} (RFC 862).
    """

    @settings(deadline=None)
    @given(message=st.binary())
    def test_everyByte(self, message: bytes) -> None:
        """
        What comes back is what was sent.
        """
        self.assertEqual(Echo(conversation()).answer(message), message)

    def test_datagrams(self) -> None:
        """
        A datagram comes back as it was: an empty one empty, the longest whole.
        """
        for message in (b"", b"\0", bytes(65507)):
            self.assertEqual(reply(Echo, message, max(len(message), 40)), message)


class DiscardTests(SynchronousTestCase):
    """
    Tests for L{Discard} (RFC 863).
    """

    def test_silence(self) -> None:
        """
        Nothing is said to anything, not even an empty datagram.
        """
        self.assertEqual(b"".join(speech(Discard, [b"hello", b"from", b"client"])), b"")
        self.assertIsNone(reply(Discard, b""))
        self.assertIsNone(reply(Discard, b"hello"))


class UpperTests(SynchronousTestCase):
    """
    Tests for L{Upper} (seed 002).
    """

    def test_letters(self) -> None:
        """
        The 26 letters become upper-case; no other byte changes, and there are as many as before.
        """
        every = bytes(range(256))
        answer = Upper(conversation()).answer(every)
        changed = {every[number : number + 1]: answer[number : number + 1] for number in range(256)}
        letters = {bytes([letter]): bytes([letter - 32]) for letter in range(ord("a"), ord("z") + 1)}
        self.assertEqual({old: new for old, new in changed.items() if old != new}, letters)
        self.assertEqual(len(answer), 256)

    def test_letterOfSeveralBytes(self) -> None:
        """
        A letter beyond ASCII stays as it is: it could be cut in two, and could grow.
        """
        self.assertEqual(Upper(conversation()).answer("straße ﬁ".encode()), "STRAßE ﬁ".encode())


class WelcomeTests(SynchronousTestCase):
    """
    Tests for L{Welcome} (seed 004).
    """

    def test_theWord(self) -> None:
        """
        C{1} is welcome, with or without a line end.
        """
        for message in (b"1", b"1\n", b"1\r\n"):
            self.assertEqual(b"".join(speech(Welcome, [message])), b"welcome to server!", message)
            self.assertEqual(reply(Welcome, message, 40), b"welcome to server!", message)

    def test_otherWords(self) -> None:
        """
        Anything else is sent away, even if it begins well.
        """
        for message in (b"2", b"", b"11", b"1 ", b" 1", b"1\r", b"1\n\n", b"\n", b"one", b"\xef\xbc\x91", bytes(9000)):
            self.assertEqual(reply(Welcome, message, 40), b"please go out!", message)

    def test_endWithoutAByte(self) -> None:
        """
        Who ends the conversation without having sent a byte is sent away.
        """
        self.assertEqual(b"".join(speech(Welcome, [])), b"please go out!")

    def test_oneAnswer(self) -> None:
        """
        The first segment decides: what comes after it is not answered.
        """
        for segments in ([b"1", b"1", b"1"], [b"2", b"1"]):
            responder = Welcome(conversation())
            first = responder.answer(segments[0])
            self.assertTrue(responder.finished)
            self.assertEqual(b"".join(speech(Welcome, segments)), first)


class HelloTests(SynchronousTestCase):
    """
    Tests for L{Hello} (seed 001).
    """

    def test_everyMessage(self) -> None:
        """
        Every message, whatever it says, is answered with the same word.
        """
        self.assertEqual(list(speech(Hello, [b"hi~", b"hi~ again", b"\0"])), [b"", b"hello", b"hello", b"hello"])
        self.assertEqual(reply(Hello, b"", 40), b"hello")

    def test_silence(self) -> None:
        """
        Nothing is said to a peer that says nothing.
        """
        self.assertEqual(b"".join(speech(Hello, [])), b"")


class GreetTests(SynchronousTestCase):
    """
    Tests for L{Greet} (seed 003).
    """

    def test_greeting(self) -> None:
        """
        It says one word, with no line end, whatever it is told.
        """
        self.assertEqual(list(speech(Greet, [b"hello"])), [b"connected"])
        self.assertEqual(reply(Greet, b"", 40), b"connected")
        self.assertEqual(reply(Greet, b"hello", 40), b"connected")


class DaytimeTests(SynchronousTestCase):
    """
    Tests for L{Daytime} (RFC 867).
    """

    def test_line(self) -> None:
        """
        One line: day of the week, month, day, time and year in UTC, CR and LF.
        """
        self.assertEqual(Daytime(conversation()).greeting(), b"Sat Nov 21 00:26:40 2026\r\n")
        self.assertEqual(reply(Daytime, b"", 40), b"Sat Nov 21 00:26:40 2026\r\n")

    def test_oneDigit(self) -> None:
        """
        A day of one digit is preceded by two spaces, so that the line keeps its length.
        """
        self.assertEqual(Daytime(at(2026, 2, 3, 4, 5, 6)).greeting(), b"Tue Feb  3 04:05:06 2026\r\n")

    def test_secondsAreNotRounded(self) -> None:
        """
        A second is named until it is over.
        """
        self.assertEqual(Daytime(conversation(now=lambda: NOW + 0.999)).greeting(), b"Sat Nov 21 00:26:40 2026\r\n")

    @settings(deadline=None)
    @given(now=st.floats(0, 253402300799))
    def test_length(self, now: float) -> None:
        """
        Until the year 9999 the line has 26 bytes.
        """
        line = Daytime(conversation(now=lambda: now)).greeting()
        self.assertEqual((len(line), line[-2:]), (26, b"\r\n"))
        self.assertTrue(line[:-2].isascii() and line[:-2].decode().isprintable())


class TimeTests(SynchronousTestCase):
    """
    Tests for L{Time} (RFC 868).
    """

    def test_vectors(self) -> None:
        """
        The RFC's own examples, in network byte order.
        """
        for year, month, seconds in (
            (1970, 1, 2208988800),
            (1976, 1, 2398291200),
            (1980, 1, 2524521600),
            (1983, 5, 2629584000),
        ):
            self.assertEqual(Time(at(year, month, 1)).greeting(), seconds.to_bytes(4, "big"), year)

    def test_wrap(self) -> None:
        """
        The last second that four bytes can name is followed by zero.
        """
        self.assertEqual(Time(at(2036, 2, 7, 6, 28, 15)).greeting(), b"\xff\xff\xff\xff")
        self.assertEqual(Time(at(2036, 2, 7, 6, 28, 16)).greeting(), b"\0\0\0\0")
        self.assertEqual(Time(at(2036, 2, 7, 6, 28, 17)).greeting(), b"\0\0\0\1")

    def test_after2038(self) -> None:
        """
        Where a signed 32-bit clock of seconds since 1970 ends, this one goes on.
        """
        self.assertEqual(Time(at(2038, 1, 19, 3, 14, 8)).greeting(), (2**31 + 2208988800 - 2**32).to_bytes(4, "big"))

    def test_datagram(self) -> None:
        """
        An empty datagram is how the time is asked for.
        """
        self.assertEqual(reply(Time, b"", 40), (int(NOW) + 2208988800).to_bytes(4, "big"))


class ChargenTests(SynchronousTestCase):
    """
    Tests for L{Chargen} (RFC 864).
    """

    def lines(self, count: int) -> list[bytes]:
        """
        The first lines of the talk, with their ends.
        """
        talk = Chargen(conversation()).generate()
        return b"".join(islice(talk, 1 + count * 74 // len(next(talk)))).splitlines(keepends=True)[:count]

    def test_ring(self) -> None:
        """
        Lines of 72 characters, CR and LF; each begins one character further along the ring of 95, and after 95 lines it
        begins again.
        """
        ring = "".join(map(chr, range(32, 127)))
        for number, line in enumerate(self.lines(200)):
            start = number % 95
            self.assertEqual(line, (ring * 2)[start : start + 72].encode() + b"\r\n", number)

    def test_landmarks(self) -> None:
        """
        The ring begins with the space, and the tilde is in it.
        """
        lines = self.lines(96)
        self.assertEqual(lines[0][:8], b" !\"#$%&'")
        self.assertEqual(lines[23][-4:], b"}~\r\n")
        self.assertEqual(lines[94][:4], b'~ !"')
        self.assertEqual(lines[95], lines[0])

    def test_saysNothingElse(self) -> None:
        """
        The talk is all there is on a stream.
        """
        self.assertIsNone(Chargen(conversation()).greeting())

    def test_datagrams(self) -> None:
        """
        A datagram is answered with the beginning of the talk, by chance 0 to 512 characters of it, whatever it says.
        """
        chance = Random(864)
        talk = b"".join(self.lines(10))
        answers = [Chargen(conversation("udp", 512, random=chance)).answer(b"x") for _ in range(10_000)]
        self.assertTrue(all(talk.startswith(answer) for answer in answers))
        self.assertEqual({len(answer) for answer in answers}, set(range(513)))

    def test_limit(self) -> None:
        """
        No answer is longer than the limit, or than 512 characters where there is none.
        """
        chance = Random(864)
        for limit, most in ((40, 40), (100, 100), (65507, 512), (None, 512)):
            lengths = {len(Chargen(conversation("udp", limit, random=chance)).answer(b"")) for _ in range(10_000)}
            self.assertEqual(max(lengths), most)


class QuoteTests(SynchronousTestCase):
    """
    Tests for L{Quote} (RFC 865).
    """

    def quotes(self, limit: int | None = None) -> set[bytes]:
        """
        All that it says, in the long run.
        """
        chance = Random(865)
        return {Quote(conversation("udp", limit, random=chance)).greeting() or b"" for _ in range(1000)}

    def test_form(self) -> None:
        """
        Under 512 bytes of printing ASCII, and one line end, at the end.
        """
        for quote in self.quotes():
            text, end = quote[:-2], quote[-2:]
            self.assertLess(len(quote), 512)
            self.assertEqual(end, b"\r\n")
            self.assertTrue(text.isascii() and text.decode().isprintable() and text.strip() == text, quote)

    def test_chance(self) -> None:
        """
        Not everybody is told the same.
        """
        self.assertGreater(len(self.quotes()), 3)

    def test_limit(self) -> None:
        """
        Only quotes that fit are chosen among, all of them, and some fit the smallest datagram.
        """
        every = self.quotes()
        for limit in (40, 80, 511):
            self.assertEqual(self.quotes(limit), {quote for quote in every if len(quote) <= limit})
        self.assertGreater(len(self.quotes(40)), 1)

    def test_nothingFits(self) -> None:
        """
        Where none fits, nothing is said: a quote is not cut.
        """
        self.assertIsNone(reply(Quote, b"", 1))


class UsersTests(SynchronousTestCase):
    """
    Tests for L{Users} (RFC 866).
    """

    def said(self, users: list[str], limit: int | None = None) -> bytes:
        """
        What is said when these are logged in.
        """
        return Users(conversation("tcp" if limit is None else "udp", limit, users=lambda: users)).greeting()

    def test_lines(self) -> None:
        """
        One user a line, in the system's order, once for each session.
        """
        self.assertEqual(self.said(["grace", "ada", "grace"]), b"grace\r\nada\r\ngrace\r\n")

    def test_nobody(self) -> None:
        """
        Nobody there: a stream just ends, and a datagram is empty, but there is one.
        """
        self.assertEqual(self.said([]), b"")
        responder = Users(conversation(users=list))
        self.assertEqual((responder.greeting(), responder.finished), (b"", True))

    def test_limit(self) -> None:
        """
        A list that is too long ends after a whole line, which may just fit.
        """
        users = ["ada", "grace", "edsger"]
        whole = b"ada\r\ngrace\r\nedsger\r\n"
        self.assertEqual(
            {limit: self.said(users, limit) for limit in (4, 5, 11, 12, 19, 20, 21)},
            {4: b"", 5: whole[:5], 11: whole[:5], 12: whole[:12], 19: whole[:12], 20: whole, 21: whole},
        )

    def test_longListOnAStream(self) -> None:
        """
        Where there is no limit the list is whole.
        """
        self.assertEqual(self.said(["ada"] * 1000), b"ada\r\n" * 1000)

    def test_nameBeyondAscii(self) -> None:
        """
        A letter that the RFC does not know is replaced.
        """
        self.assertEqual(self.said(["zoë"]), b"zo?\r\n")


class WhoamiTests(SynchronousTestCase):
    """
    Tests for L{Whoami}.
    """

    def told(self, peer: IAddress | None, host: IAddress | None = None, transport: str = "tcp") -> dict[str, Any]:
        """
        What a peer is told, decoded.
        """
        line = Whoami(Conversation(transport, peer, host, 7, None, Environment(server="here"))).greeting()
        self.assertEqual(line.splitlines(keepends=True), [line])
        self.assertTrue(line.isascii() and line.endswith(b"}\n"))
        told: dict[str, Any] = json.loads(line)
        return told

    def test_line(self) -> None:
        """
        One line of JSON, ended by LF.
        """
        self.assertEqual(
            Whoami(conversation()).greeting(),
            b'{"peer": "192.0.2.7:40000", "host": "192.0.2.1:8007", "transport": "tcp", "serial": 7, '
            b'"server": "here"}\n',
        )

    def test_ipv6(self) -> None:
        """
        A v6 address stands in brackets.
        """
        told = self.told(IPv6Address("UDP", "2001:db8::7", 40000), IPv6Address("UDP", "::1", 8099), "udp")
        self.assertEqual((told["peer"], told["host"]), ("[2001:db8::7]:40000", "[::1]:8099"))
        self.assertEqual(told["transport"], "udp")

    def test_unix(self) -> None:
        """
        A Unix socket is known by its path; a peer mostly has none.
        """
        told = self.told(UNIXAddress(None), UNIXAddress("/run/whoami.sock"), "unix")
        self.assertEqual((told["peer"], told["host"]), (None, "/run/whoami.sock"))

    def test_hostilePath(self) -> None:
        """
        Whatever a peer's path is made of, it is told in one line.
        """
        told = self.told(UNIXAddress(b'/tmp/\n"\x1b\xff\\'), None, "unixgram")
        self.assertEqual(told["peer"], r'/tmp/\n"\x1b\udcff\\')

    def test_nobody(self) -> None:
        """
        Where there is no address there is null.
        """
        told = self.told(None)
        self.assertEqual((told["peer"], told["host"]), (None, None))

    def test_whole(self) -> None:
        """
        A limit does not cut it: a part of a line would be of no use.
        """
        self.assertEqual(reply(Whoami, b"", 40), reply(Whoami, b""))


class ConversationTests(SynchronousTestCase):
    """
    Tests for L{Conversation} and L{Responder}, what all services are made of.
    """

    def test_theRealWorld(self) -> None:
        """
        Unless told otherwise, a conversation is in this world: its time runs, and the server has a name.
        """
        plain = Conversation()
        self.assertGreater(plain.now(), NOW - 365 * 24 * 3600)
        self.assertTrue(plain.server)
        self.assertTrue(0 <= plain.random.random() < 1)
        self.assertTrue(all(isinstance(user, str) for user in plain.users()))

    def test_anotherWorld(self) -> None:
        """
        Time, chance and machine can be replaced.
        """
        chance = Random(1)
        environment = Environment(server="there", now=lambda: 1.5, random=chance, users=lambda: ["ada"])
        told = Conversation("unix", None, None, 3, 40, environment)
        self.assertEqual((told.server, told.now(), told.users()), ("there", 1.5, ["ada"]))
        self.assertIs(told.random, chance)
        self.assertEqual((told.transport, told.serial, told.limit), ("unix", 3, 40))

    def test_taciturn(self) -> None:
        """
        A responder that defines nothing says nothing, and does not end the conversation.
        """
        silent = Responder(conversation())
        self.assertEqual((silent.greeting(), silent.answer(b"1"), silent.generate()), (None, None, None))
        self.assertFalse(silent.finished)
        self.assertEqual((silent.message, silent.deadline), ("bytes", None))

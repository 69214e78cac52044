"""
The formats of daytime, time, chargen and qotd (RFC 864, 865, 867, 868).
"""

from __future__ import annotations

from calendar import timegm
from itertools import islice
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation
from sockservices.responders import Chargen, Daytime, Quote, Time
from tests.support.contract import NOW, conversation


def at(*date: int) -> Conversation:
    """
    Make a conversation at a time, UTC: year, month, day, and optional hour, minute, second.
    """
    return conversation(now=lambda: float(timegm((*date, 0, 0, 0)[:6])))


class DaytimeTests(SynchronousTestCase):
    """
    L{Daytime} (RFC 867).
    """

    def test_line(self) -> None:
        """
        The line holds weekday, month, day in two columns, time and year in UTC. Fractions of a second are cut off.
        """
        for context, line in (
            (conversation(), b"Sat Nov 21 00:26:40 2026\r\n"),
            (conversation(now=lambda: NOW + 0.999), b"Sat Nov 21 00:26:40 2026\r\n"),
            (at(2026, 2, 3, 4, 5, 6), b"Tue Feb  3 04:05:06 2026\r\n"),
        ):
            self.assertEqual(Daytime(context).greeting(), line)

    @given(now=st.floats(0, 253402300799))
    def test_length(self, now: float) -> None:
        """
        Until the year 9999, the line has 24 printable characters and CR LF.
        """
        line = Daytime(conversation(now=lambda: now)).greeting()
        self.assertEqual((len(line), line[-2:]), (26, b"\r\n"))
        self.assertTrue(line[:-2].isascii() and line[:-2].decode().isprintable())


class TimeTests(SynchronousTestCase):
    """
    L{Time} (RFC 868).
    """

    def test_vectors(self) -> None:
        """
        The number matches the RFC's examples, overflows to 0 in 2036, and passes the end of a signed 32-bit C{time_t}.
        """
        for date, seconds in (
            ((1970, 1, 1), 2208988800),
            ((1976, 1, 1), 2398291200),
            ((1980, 1, 1), 2524521600),
            ((1983, 5, 1), 2629584000),
            ((2036, 2, 7, 6, 28, 15), 2**32 - 1),
            ((2036, 2, 7, 6, 28, 16), 0),
            ((2036, 2, 7, 6, 28, 17), 1),
            ((2038, 1, 19, 3, 14, 8), 2**31 + 2208988800 - 2**32),
        ):
            self.assertEqual(Time(at(*date)).greeting(), seconds.to_bytes(4, "big"), date)


class ChargenTests(SynchronousTestCase):
    """
    L{Chargen} (RFC 864).
    """

    def lines(self, count: int) -> list[bytes]:
        """
        Return the first lines of the output, with their ends.
        """
        output = Chargen(conversation()).generate()
        return b"".join(islice(output, 1 + count * 74 // len(next(output)))).splitlines(keepends=True)[:count]

    def test_pattern(self) -> None:
        """
        Each line has 72 characters and CR LF, and starts one character further along the ring of 95. There is no
        greeting before the first line.
        """
        self.assertIsNone(Chargen(conversation()).greeting())
        ring = "".join(map(chr, range(32, 127)))
        lines = self.lines(200)
        for number, line in enumerate(lines):
            start = number % 95
            self.assertEqual(line, (ring * 2)[start : start + 72].encode() + b"\r\n", number)
        self.assertEqual((lines[0][:8], lines[23][-4:], lines[94][:4]), (b" !\"#$%&'", b"}~\r\n", b'~ !"'))

    def test_datagrams(self) -> None:
        """
        Replies are beginnings of the pattern, of all lengths from 0 to 512 or to the limit.
        """
        source = Random(864)
        pattern = b"".join(self.lines(10))
        for limit, longest in ((40, 40), (65507, 512), (None, 512)):
            replies = {Chargen(conversation("udp", limit, random=source)).answer(b"x") for _ in range(6000)}
            self.assertTrue(all(map(pattern.startswith, replies)))
            self.assertEqual({len(reply) for reply in replies}, set(range(longest + 1)))


class QuoteTests(SynchronousTestCase):
    """
    L{Quote} (RFC 865).
    """

    def quotes(self, limit: int | None = None) -> set[bytes]:
        """
        Collect the greetings of 1000 conversations.
        """
        source = Random(865)
        return {Quote(conversation("udp", limit, random=source)).greeting() or b"" for _ in range(1000)}

    def test_format(self) -> None:
        """
        There are several quotes, each of at most 511 bytes: one line of printable ASCII, and CR LF.
        """
        quotes = self.quotes()
        self.assertGreater(len(quotes), 3)
        for quote in quotes:
            text = quote[:-2]
            self.assertEqual(quote[-2:], b"\r\n")
            self.assertLess(len(quote), 512)
            self.assertTrue(text.isascii() and text.decode().isprintable() and text.strip() == text, quote)

    def test_limit(self) -> None:
        """
        With a limit, the choice is among all quotes that fit; several fit the limit of an empty datagram. Where none
        fits, there is no greeting.
        """
        every = self.quotes()
        for limit in (40, 80, 511):
            self.assertEqual(self.quotes(limit), {quote for quote in every if len(quote) <= limit})
        self.assertEqual(self.quotes(1), {b""})
        self.assertGreater(len(self.quotes(40)), 1)

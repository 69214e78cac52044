"""
The conformance cases against services that are wrong: each fails rightly.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from sockservices import Policy
from sockservices.conformance import Result, Seconds
from sockservices.responders import Chargen, Echo
from sockservices.responders.chargen import PATTERN, RING
from tests.support.conformance import LOOPBACK, NOW, QUICK, Calling, ConformanceCase, Replying, calling, saying
from tests.support.inetd import freePorts


class MirrorTests(ConformanceCase):
    """
    Tests for servers of C{echo} and C{upper} that are wrong.
    """

    def test_changedBytes(self) -> None:
        """
        What came back changed is shown beside what was sent, from the first difference on.
        """
        port = self.serve(saying(answer=lambda said: said.replace(b"\xff", b"\xfe")))
        rows = self.assertFaults(
            "echo",
            port,
            ("tcp", "gives back every byte, all 256 of them", "b'\\xfe' at byte 255 of 256"),
            ("udp", "gives back a datagram, every byte of it", "b'\\xfe' at byte 255 of 256"),
        )
        self.assertEqual({row.expected for row in rows}, {"b'\\xff' at byte 255 of 256"})

    def test_asItWas(self) -> None:
        """
        An echo is no C{upper}.
        """
        rows = self.check({"upper": self.serve(Echo)})
        self.assertEqual(
            [row.sentence for row in rows if row.result is Result.PASS],
            [
                "says nothing before it is told something",
                "replies from the address that was asked",
                "answers an empty datagram with an empty one",
            ],
        )

    def test_cutOff(self) -> None:
        """
        An echo that ends when we do, whatever it still owes, has not given back all.
        """
        port = self.listen(calling(heard=_owing), None)
        rows = self.check({"echo": port})
        self.assertIn("200 KiB whole", rows[1].sentence)
        self.assertEqual((rows[1].result, rows[1].seen), (Result.FAIL, "1000 bytes, then an end"))

    def test_reset(self) -> None:
        """
        A reset is no end.
        """
        port = self.listen(calling(heard=lambda transport, data: transport.abortConnection()), None)
        rows = self.check({"echo": port})
        self.assertEqual(
            {row.seen for row in rows if row.result is Result.FAIL}, {"nothing, then a reset", "no bytes, then a reset"}
        )

    def test_speaksFirst(self) -> None:
        """
        A service that is to be spoken to says nothing before.
        """
        (row, *_) = [row for row in self.check({"hello": self.serve(saying(b"220 ready"))}) if "before" in row.sentence]
        self.assertEqual((row.result, row.seen, row.expected), (Result.FAIL, "b'220 ready'", "silence"))

    def test_endsAtOnce(self) -> None:
        """
        A service that its peer is to end does not end it before it was told something.
        """
        port = self.listen(calling(made=lambda transport: transport.loseConnection()), None)
        (row, *_) = [row for row in self.check({"echo": port}) if "before" in row.sentence]
        self.assertEqual((row.result, row.seen, row.expected), (Result.FAIL, "nothing, then an end", "silence"))

    def test_endsAfterAnAnswer(self) -> None:
        """
        A service that its peer is to end does not end it after an answer.
        """
        self.assertFaults(
            "echo",
            self.serve(saying(answer=bytes, end=True), udp=False),
            (
                "tcp",
                "gives back 200 KiB whole, though we end our side at once, and then ends",
                "65536 bytes, then an end",
            ),
            ("tcp", "stays open after an answer, and gives another", "nothing, then an end"),
            ("udp", "is there", "refused"),
        )

    def test_cutDatagrams(self) -> None:
        """
        A datagram that came back cut is wrong, whatever its length.
        """
        port = self.serve(saying(answer=lambda said: said[:1000]), tcp=False)
        rows = self.assertFaults(
            "echo",
            port,
            ("tcp", "is there", "refused"),
            ("udp", "gives back 1,400 bytes in one datagram", "1000 bytes"),
            ("udp", "gives back 65,507 bytes, the most there can be", "1000 bytes"),
        )
        self.assertEqual([row.expected for row in rows[1:]], ["1400 bytes", "65507 bytes"])

    def test_noEmptyDatagrams(self) -> None:
        """
        An empty datagram is to be answered by an empty one, and not with silence or words.
        """
        sentence = "answers an empty datagram with an empty one"
        for answer, seen in (lambda said: said or None, "no reply"), (lambda said: said or b"?", "b'?'"):
            port = self.serve(saying(answer=answer), tcp=False)
            self.assertFaults("echo", port, ("tcp", "is there", "refused"), ("udp", sentence, seen))

    def test_anotherAddress(self) -> None:
        """
        A reply from another port than was asked is told from none.
        """
        other = Replying(lambda datagram, addr: None)
        self.reactor.listenUDP(0, other, interface=LOOPBACK)
        stray = f"{LOOPBACK}:{other.transport.getHost().port}"
        port = self.listen(None, Replying(lambda datagram, addr: other.transport.write(datagram[:1400], addr)))
        rows = self.check({"echo": port}, Seconds(answer=0.15, datagrams=0))
        self.assertEqual({row.seen for row in rows[1:5]}, {f"a reply from {stray}"})
        self.assertEqual({row.expected for row in rows[1:]}, {f"one from {LOOPBACK}:{port}"})

    def test_goneMeanwhile(self) -> None:
        """
        A service that is no longer there after its first row fails the others.
        """
        (port,) = freePorts(1)
        factory = calling(heard=lambda transport, data: (listening.stopListening(), transport.write(data)))
        listening = self.reactor.listenTCP(port, factory, interface=LOOPBACK)
        rows = self.check({"hello": port})
        self.assertEqual([row.seen for row in rows[1:3]], ["refused", "refused"])
        self.assertEqual({row.result for row in rows[:3]}, {Result.FAIL})


def _owing(transport: Any, data: bytes) -> None:
    """
    Give back the first thousand bytes, and end.
    """
    transport.write(data[:1000])
    transport.loseConnection()


class DiscardTests(ConformanceCase):
    """
    Tests for servers of C{discard} that are wrong.
    """

    def test_answers(self) -> None:
        """
        It says nothing, on no transport.
        """
        rows = self.check({"discard": self.serve(saying(answer=lambda said: b"thank you"))})
        self.assertEqual({row.result for row in rows}, {Result.FAIL})
        self.assertEqual(
            [row.seen for row in rows],
            [
                "b'thank you'",
                "b'thank you'",
                "a reply: b'thank you'",
                "a reply: b'thank you'",
            ],
        )

    def test_ends(self) -> None:
        """
        It does not end before its peer does.
        """
        self.assertFaults(
            "discard",
            self.serve(saying(answer=lambda said: None, end=True)),
            ("tcp", "stays open, and silent, until we end", "nothing, then an end"),
        )

    def test_doesNotEnd(self) -> None:
        """
        It ends when its peer does.
        """

        def made(transport: Any) -> None:
            transport.stopReading()
            self.addCleanup(transport.connectionLost, Failure(ConnectionLost()))

        port = self.listen(calling(made), None)
        (row, *_) = self.check({"discard": port})
        self.assertEqual((row.result, row.seen), (Result.FAIL, "nothing, then silence"))


class ChargenTests(ConformanceCase):
    """
    Tests for servers of C{chargen} that are wrong.
    """

    def talking(self, talk: bytes, heard: Callable[[Any, bytes], object] = lambda transport, data: None) -> int:
        """
        Serve a talk that goes on and on.
        """
        return self.listen(_talk(talk, heard), None)

    def test_otherPatterns(self) -> None:
        """
        Talk without the lines, the ring or the steps that are usual is shown where it is not so.
        """
        sentence = "says 72 characters of the ring of 95 and CR LF a line, each from one further on"
        short = RING[1:-1]
        for talk, seen, expected in (
            (
                RING,
                "b' !\"#$%&\\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOP",
                "lines of 72 characters and",
            ),
            (PATTERN.replace(b"\r\n", b"\n\r"), "b' !\"#", "lines of 72 characters and CR LF"),
            (b"hello\r\n", "a line of 5: b'hello'", "lines of 72 characters"),
            (
                b"".join((short * 2)[at : at + 72] + b"\r\n" for at in range(93)),
                "no b' ~' in any line",
                "all 95 printing",
            ),
            (
                b"".join((RING * 2)[at % 95 :][:72] + b"\r\n" for at in range(0, 190, 2)),
                "b'\"#$%&\\'()*+,-./0123456789",
                "b'!\"#$%&\\'()*+,-./0123456789",
            ),
        ):
            rows = [row for row in self.check({"chargen": self.talking(talk)}) if row.result is Result.FAIL]
            self.assertEqual([row.sentence for row in rows], [sentence])
            self.assertIn(seen, rows[0].seen)
            self.assertIn(expected, rows[0].expected)

    def test_mixesWhatItIsSent(self) -> None:
        """
        What it is sent is nowhere in its talk, and does not disturb it.
        """
        sentence = "drops what it is sent, and talks on unchanged"
        for heard, seen in (
            (lambda transport, data: transport.write(data), "what it was sent, at byte "),
            (lambda transport, data: transport.write(b"?"), "b'?"),
        ):
            rows = [row for row in self.check({"chargen": self.talking(PATTERN, heard)}) if row.result is Result.FAIL]
            self.assertEqual([row.sentence for row in rows], [sentence])
            self.assertIn(seen, rows[0].seen)

    def test_anyPatternMayGoOn(self) -> None:
        """
        Talk may be of any length before it begins anew.
        """
        rows = self.check({"chargen": self.talking(bytes(range(256)) * 300 + b"!")})
        self.assertEqual([row.result for row in rows[:4]], [Result.PASS, Result.PASS, Result.FAIL, Result.PASS])

    def test_ends(self) -> None:
        """
        It does not end.
        """
        rows = self.check({"chargen": self.serve(saying(PATTERN, end=True))})
        self.assertEqual(
            {row.result for row in rows if "talk" in row.sentence and "without" not in row.sentence}, {Result.FAIL}
        )

    def test_waitsToBeAsked(self) -> None:
        """
        It does not wait to be asked.
        """
        port = self.listen(calling(heard=lambda transport, data: transport.write(PATTERN * 100)), None)
        (row, *_) = self.check({"chargen": port})
        self.assertEqual((row.result, row.seen), (Result.FAIL, "nothing, then silence"))

    def test_diesOfAnAbort(self) -> None:
        """
        It outlives those who cut it off.
        """
        (port,) = freePorts(1)
        talks = count(1)
        factory = _talk(PATTERN, lost=lambda: next(talks) == 4 and listening.stopListening())
        listening = self.reactor.listenTCP(port, factory, interface=LOOPBACK)
        rows = [row for row in self.check({"chargen": port}) if row.result is Result.FAIL]
        self.assertEqual(
            [(row.sentence, row.seen) for row in rows], [("still talks when others have cut it off", "refused")]
        )

    def test_datagrams(self) -> None:
        """
        Replies have 512 characters at most, all of them printing, and a number left to chance.
        """
        lengths = iter([600, 0, 512, 30, 40, 50, 60, 70] * 3)
        size, chance, printing = (
            "replies with 512 characters at most",
            "replies with a number of characters left to chance",
            "replies with printing ASCII and line ends",
        )
        always = "74 characters each time"
        for answer, *faults in (
            (lambda _: PATTERN[:74], (chance, always)),
            (lambda _: PATTERN[: next(lengths)], (size, "600 characters")),
            (
                lambda said: bytes(len(said) and next(lengths) % 512),
                (
                    printing,
                    "b'\\x00' in b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'... of ",
                ),
            ),
        ):
            port = self.serve(saying(answer=answer), Policy(udpRfcSize=True), tcp=False)
            rows = [row for row in self.check({"chargen": port})[1:] if row.result is not Result.PASS]
            self.assertEqual([row.sentence for row in rows], [sentence for sentence, _ in faults])
            for row, (_, seen) in zip(rows, faults, strict=True):
                self.assertIn(seen, row.seen)

    def test_noReplyToLongDatagrams(self) -> None:
        """
        A padded datagram is to be answered, too.
        """
        port = self.serve(Chargen, Policy(udpMax=100))
        rows = [row for row in self.check({"chargen": port}) if row.result is not Result.PASS]
        self.assertEqual(rows[0].seen, "a reply to an empty datagram, none to 512 bytes")


def _talk(
    talk: bytes,
    heard: Callable[[Any, bytes], object] = lambda transport, data: None,
    lost: Callable[[], object] = lambda: None,
) -> Factory:
    """
    Conversations that talk on and on.
    """

    class Talking(Calling):
        """
        Talks as fast as its peer reads.
        """

        def resumeProducing(self) -> None:
            """
            Say some more.
            """
            self.transport.write(talk * (65536 // len(talk) + 1))  # type: ignore[union-attr]

        def stopProducing(self) -> None:
            """
            Nobody listens any more.
            """

        def connectionLost(self, reason: Any = None) -> None:
            """
            Do what there is to do last.
            """
            lost()

    return Factory.forProtocol(
        lambda: (protocol := Talking(lambda transport: transport.registerProducer(protocol, False), heard))
    )


class OnceTests(ConformanceCase):
    """
    Tests for servers that are wrong of the services that say something and hang up.
    """

    UNASKED = "speaks without being asked, and ends"
    DROPS = "drops what it is sent, and ends as cleanly"
    ANY = "answers any datagram, be it empty or long"

    def test_doesNotEnd(self) -> None:
        """
        It ends.
        """
        self.assertFaults(
            "greet",
            self.listen(calling(lambda transport: transport.write(b"connected")), None),
            ("tcp", self.UNASKED, "b'connected', then silence"),
            ("tcp", "says connected, and no more", "b'connected', then silence"),
            ("udp", "is there", "refused"),
        )

    def test_waitsToBeAsked(self) -> None:
        """
        It does not wait to be asked.
        """
        rows = self.check({"greet": self.serve(saying(answer=lambda _: b"connected", end=True))})
        (row, *_) = [row for row in rows if row.result is not Result.PASS]
        self.assertEqual((row.sentence, row.seen), (self.UNASKED, "nothing, then silence"))

    def test_saysNothing(self) -> None:
        """
        It says something; but C{users} need not, where nobody is.
        """
        port = self.listen(calling(lambda transport: transport.loseConnection()), None)
        self.assertFaults("users", port, ("udp", "is there", "refused"))
        (row, *_) = self.check({"qotd": port})
        self.assertEqual((row.sentence, row.seen), (self.UNASKED, "nothing, then an end"))

    def test_resets(self) -> None:
        """
        It does not destroy its words by a reset, when it is sent something that it does not read.
        """

        def made(transport: Any) -> None:
            transport.write(b"connected")
            self.reactor.callLater(0.05, transport.loseConnection)

        self.assertFaults(
            "greet",
            self.listen(calling(made, lambda transport, data: transport.abortConnection()), None),
            ("tcp", self.DROPS, "b'connected', then a reset"),
            ("udp", "is there", "refused"),
        )

    def test_datagrams(self) -> None:
        """
        It answers any datagram, an empty one too.
        """
        port = self.serve(saying(answer=lambda said: None if said else b"connected", end=True), tcp=False)
        rows = self.assertFaults(
            "greet",
            port,
            ("tcp", "is there", "refused"),
            ("udp", self.ANY, "a reply to an empty datagram, none to 512 bytes"),
        )
        self.assertIs(rows[1].result, Result.FAIL)

    def assertWords(self, service: str, words: bytes, *faults: tuple[str, str]) -> None:
        """
        A service that says these words fails these rows, on both transports: for each a part of its sentence, and of
        what was seen.
        """
        port = self.serve(saying(words, end=True), Policy(udpRfcSize=True))
        rows = [row for row in self.check({service: port}, now=lambda: NOW) if row.result is not Result.PASS]
        self.assertEqual([row.transport for row in rows], ["tcp"] * len(faults) + ["udp"] * len(faults), f"{rows}")
        for row, (sentence, seen) in zip(rows, faults * 2, strict=True):
            self.assertIn(sentence, row.sentence)
            self.assertIn(seen, row.seen)
            self.assertIs(row.result, Result.FAIL)

    def test_greet(self) -> None:
        """
        The greeting is one word.
        """
        self.assertWords("greet", b"Connected", ("connected", "b'Connected'"))

    def test_quotes(self) -> None:
        """
        A quote is not too long, not empty, and printing.
        """
        self.assertWords("qotd", b"q" * 511)
        self.assertWords("qotd", b"q" * 512, ("fewer than 512", "512 characters"))
        self.assertWords("qotd", b"caf\xe9\r\n", ("ASCII", "b'\\xe9' in b'caf\\xe9\\r\\n'"))
        self.assertWords("qotd", b"\r\n", ("ASCII", "b'\\r\\n'"))

    def test_users(self) -> None:
        """
        Users stand on lines of their own, ended by CR LF.
        """
        lines = "one user a line"
        self.assertWords("users", b"ada\r\ngrace hopper\r\n")
        for wrong in b"ada", b"ada\n", b"ada\r\ngrace", b"ada\r\n\r\n", b"ada\ngrace\r\n", b"ada\rgrace\r\n":
            self.assertWords("users", wrong, (lines, repr(wrong)))
        self.assertWords("users", b"ad\x07\r\n", (lines, "b'\\x07' in b'ad\\x07\\r\\n'"))

    def test_daytime(self) -> None:
        """
        The time of day is a line, and ours, in any form and any time zone.
        """
        line, time = "one line", "our time of day"
        for right in (
            b"Sat Nov 21 00:26:40 2026\r\n",
            b"21 NOV 2026 05:56:40 IST\n",
            b"Saturday, November 21, 2026 19:41:39-XST",
            b"61365 26-11-21 00:27:39 00 0 0 500.0 UTC(NIST) *\r\n",
            b"0:26",
        ):
            self.assertWords("daytime", right)
        for wrong in b"Sat Nov 21 00:28:40 2026\r\n", b"Sat Nov 21 2026\r\n", b"1:2:3:4\r\n":
            self.assertWords("daytime", wrong, (time, repr(wrong)))
        self.assertWords("daytime", b"00:26:40\r\n00:26:40\r\n", (line, "b'00:26:40\\r\\n00:26:40\\r\\n'"))
        self.assertWords("daytime", b"00:26:40\0", (line, "b'\\x00' in b'00:26:40\\x00'"))

    def test_time(self) -> None:
        """
        The time is four bytes, and counts from 1900.
        """
        four, count = "four bytes", "counts the seconds since 1900"
        ours = int(NOW) + 2208988800
        self.assertWords("time", struct.pack("!I", ours + 59))
        self.assertWords("time", struct.pack("!I", ours - 3600), (count, f"{ours - 3600} in b'"))
        self.assertWords("time", struct.pack("!I", int(NOW)), (count, f"{int(NOW)}: it counts from 1970"))
        self.assertWords("time", struct.pack("<I", ours), (count, " in b'"))
        self.assertWords("time", struct.pack("!Q", ours), (four, "b'\\x00\\x00\\x00\\x00"), (count, "0 in b'"))

    def test_timeAfter2036(self) -> None:
        """
        After four bytes are used up, the count begins anew.
        """
        later = 2**32 - 2208988800 + 5
        port = self.serve(saying(struct.pack("!I", 2**32 - 10), end=True))
        self.assertEqual({row.result for row in self.check({"time": port}, now=lambda: later)}, {Result.PASS})

    def test_whoami(self) -> None:
        """
        What is said of us is a line of JSON, with our address as it is on our side.
        """
        us = "says in a line of JSON who we are"
        for words, seen in (
            (json.dumps({"peer": "192.0.2.1:7"}).encode() + b"\n", "peer b'192.0.2.1:7'"),
            (b"[]\n", "b'[]\\n'"),
            (b"{}\n", "peer b'None'"),
            (b'{"peer": "\\ud800"}\n', "ud800"),
            (b"{", "b'{'"),
            (b"[" * 100_000, "of 100000"),
        ):
            port = self.serve(saying(words, end=True), Policy(udpRfcSize=True), udp=len(words) < 512)
            rows = self.check({"whoami": port})
            self.assertEqual([row.result for row in rows[:2]], [Result.PASS] * 2)
            self.assertIn(us, rows[2].sentence)
            self.assertIn(seen, rows[2].seen)
            self.assertEqual({row.result for row in rows[2:]} - {Result.NOT_OFFERED}, {Result.FAIL})


class TutorialTests(ConformanceCase):
    """
    Tests for servers of C{welcome} and C{hello} that are wrong.
    """

    SILENCE = "ends after five seconds of silence, cleanly and with nothing said"

    def test_welcomesAll(self) -> None:
        """
        Only C{1} is welcome.
        """
        port = self.serve(saying(answer=lambda _: b"welcome to server!", end=True), Policy(idleTimeout=QUICK.silence))
        self.assertFaults(
            "welcome",
            port,
            ("tcp", "sends away who says anything else, and ends", "b'welcome to server!'"),
            ("tcp", "sends away who ends without a byte, and ends", "nothing, then an end"),
            ("udp", "sends away any other datagram", "b'welcome to server!'"),
        )

    def test_welcomesNobody(self) -> None:
        """
        C{1} is welcome, and so it is with its line end.
        """
        rows = self.check({"welcome": self.serve(saying(answer=lambda _: b"please go out!", end=True))})
        self.assertEqual([row.result for row in rows[:3]], [Result.FAIL, Result.FAIL, Result.PASS])
        self.assertEqual({row.seen for row in rows if "welcomes" in row.sentence}, {"b'please go out!'"})

    def test_silence(self) -> None:
        """
        Silence is borne for a while, no less and no more; then comes an end, and nothing else.
        """

        def later(seconds: float, way: str, words: bytes = b"") -> Factory:
            def made(transport: Any) -> None:
                transport.write(words)
                self.reactor.callLater(seconds, getattr(transport, way))

            return calling(made, lambda transport, data: transport.loseConnection())

        for factory, seen in (
            (later(QUICK.silence, "loseConnection"), ""),
            (later(QUICK.silence / 4, "loseConnection"), "nothing, then an end"),
            (later(QUICK.silence, "abortConnection"), "nothing, then a reset"),
            (later(QUICK.silence, "loseConnection", b"time out"), "b'time out'"),
            (later(QUICK.silence * 10, "loseConnection"), "nothing, then silence"),
        ):
            rows = self.check({"welcome": self.listen(factory, None)})
            (row,) = [row for row in rows if row.sentence == self.SILENCE]
            self.assertEqual((row.seen, row.result), (seen, Result.FAIL if seen else Result.PASS))

    def test_hello(self) -> None:
        """
        Only C{hello} is said, to each message.
        """
        rows = self.check({"hello": self.serve(saying(answer=lambda _: b"HELLO"))})
        self.assertEqual(
            [(row.transport, row.seen) for row in rows if row.result is Result.FAIL],
            [("tcp", "b'HELLO'"), ("tcp", "b'HELLO'"), ("udp", "b'HELLO'")],
        )

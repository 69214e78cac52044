"""
Each verdict, given by a socket that behaves that way.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.error import ConnectBindError, NoRouteError
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from sockservices.client import Target, Unanswered, Verdict, ask, askDatagram, target
from tests.support.loop import LoopCase, descriptors

#: Seconds in which nothing comes, where nothing can.
SHORTLY = 0.05

#: What close() does: it resets.
RESETTING = struct.pack("ii", 1, 0)


@implementer(IHostnameResolver, IHostResolution)
class Resolver:
    """
    Finds no name, and needs no network for that.

    @ivar asked: the names.
    """

    name = ""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resolveHostName(self, resolutionReceiver: Any, hostName: str, *_: Any, **__: Any) -> Any:
        """
        Find nothing.
        """
        self.asked.append(hostName)
        resolutionReceiver.resolutionBegan(self)
        resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        """
        It is over already.
        """


@implementer(IStreamClientEndpoint)
class Failing:
    """
    An endpoint that leads nowhere.
    """

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def connect(self, _: object) -> Deferred[Any]:
        """
        Fail.
        """
        return fail(self._fault)


class FarCase(LoopCase):
    """
    A test against a far end of plain sockets, that does as the test says. Nothing is left open, and the reactor quiet.
    """

    def setUp(self) -> None:
        """
        Count the descriptors.
        """
        super().setUp()
        self._kept: list[socket.socket] = []
        self._before = descriptors()
        # Before the reactor is disposed of.
        self.addCleanup(self._look)

    def _look(self) -> None:
        for opened in self._kept:
            opened.close()
        self.turn(3)
        self.assertQuiet()
        self.assertEqual(descriptors(), self._before, "a descriptor is left")

    def far(self, opened: socket.socket) -> socket.socket:
        """
        What the far end has opened.
        """
        opened.setblocking(False)
        self._kept.append(opened)
        return opened

    def bound(self, transport: str, where: str = "") -> tuple[Target, socket.socket]:
        """
        A socket that is bound, and no more.

        @param where: its IP address; by default there is one for each transport.
        """
        kind = socket.SOCK_STREAM if transport in ("tcp", "unix") else socket.SOCK_DGRAM
        if transport in ("unix", "unixgram"):
            path = str(self.folder / f"socket{len(self._kept)}")
            opened = self.far(socket.socket(socket.AF_UNIX, kind))
            opened.bind(path)
            return Target(transport, path), opened
        where = where or "127.0.0.1"
        opened = self.far(socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, kind))
        opened.bind((where, 0))
        return Target(transport, opened.getsockname()[:2]), opened

    def listening(self, transport: str = "tcp", where: str = "") -> tuple[Target, socket.socket]:
        """
        A socket that listens, and has accepted nobody.
        """
        place, opened = self.bound(transport, where)
        opened.listen()
        return place, opened

    def accepted(self, listening: socket.socket) -> socket.socket:
        """
        Accept the next connection.
        """
        accepted: list[socket.socket] = []

        def tried() -> bool:
            try:
                accepted.append(listening.accept()[0])
            except BlockingIOError:
                return False
            return True

        self.until(tried)
        return self.far(accepted[0])

    def heardDatagram(self, opened: socket.socket) -> tuple[bytes, Any]:
        """
        The next datagram, and where it came from.
        """
        heard: list[tuple[bytes, Any]] = []

        def tried() -> bool:
            try:
                heard.append(opened.recvfrom(2**18))
            except BlockingIOError:
                return False
            return True

        self.until(tried)
        return heard[0]

    def ask(self, place: Target, message: bytes = b"", **how: Any) -> Deferred[bytes]:
        """
        Ask there, whatever the transport is.
        """
        if place.stream:
            return ask(place.endpoint(self.reactor), message, reactor=self.reactor, **how)
        return askDatagram(place.address, message, reactor=self.reactor, **how)

    def unanswered(self, deferred: Deferred[Any], verdict: Verdict) -> Unanswered:
        """
        What a Deferred fails with: this verdict, in one line that begins with its word.
        """
        fault = self.assertRaises(Unanswered, self.wait, deferred)
        assert isinstance(fault, Unanswered)
        self.assertIs(fault.verdict, verdict, str(fault))
        self.assertTrue(str(fault).startswith(f"{verdict.word}: ") and str(fault).isprintable(), str(fault))
        return fault


class WordTests(SynchronousTestCase):
    """
    The words, and their exit statuses.
    """

    def test_statuses(self) -> None:
        """
        These are documented, and scripts rely on them. None is 1, as of everything else that may fail.
        """
        self.assertEqual(
            {verdict.word: verdict.status for verdict in Verdict},
            {
                "ok": 0,
                "check failed": 2,
                "refused": 10,
                "reset": 11,
                "timeout": 12,
                "eof": 13,
                "short": 14,
                "corrupt": 15,
                "wrong-source": 16,
                "unreachable": 17,
                "dns": 18,
                "usage": 64,
            },
        )

    def test_unanswered(self) -> None:
        """
        As text, it is the word and what happened; it keeps what had come.
        """
        fault = Unanswered(Verdict.SHORT, "3 bytes of 5 came", b"abc")
        self.assertEqual((str(fault), fault.verdict, fault.answer), ("short: 3 bytes of 5 came", Verdict.SHORT, b"abc"))
        self.assertEqual(Unanswered(Verdict.EOF, "nothing").answer, b"")


class StreamVerdictTests(FarCase):
    """
    Streams.
    """

    def streams(self) -> list[tuple[Target, socket.socket]]:
        """
        Who listens: on each kind of stream.
        """
        return [self.listening(), self.listening("tcp", "::1"), self.listening("unix")]

    def asked(self, place: Target, listening: socket.socket, **how: Any) -> tuple[Deferred[bytes], socket.socket]:
        """
        Ask, and be asked.
        """
        asked = self.ask(place, b"words", **how)
        far = self.accepted(listening)
        self.assertEqual(self.hear(far, 10), b"words", "all, and then the end")
        return asked, far

    def test_ok(self) -> None:
        """
        An answer and a clean end.
        """
        for place, listening in self.streams():
            for expect in (None, b"WORDS"):
                asked, far = self.asked(place, listening, expect=expect)
                far.send(b"WORDS")
                far.close()
                self.assertEqual(self.wait(asked), b"WORDS")

    def test_refused(self) -> None:
        """
        Somebody has the address, but does not listen.
        """
        for place, _ in (self.bound("tcp"), self.bound("tcp", "::1"), self.bound("unix")):
            self.unanswered(self.ask(place), Verdict.REFUSED)
        # The abstract namespace has no files, by which the kernel could tell this from no such socket.
        self.unanswered(self.ask(Target("unix", "@sockservices-none")), Verdict.REFUSED)

    def test_reset(self) -> None:
        """
        It is cut off: with nothing said, or in the middle.
        """
        for place, listening in self.streams()[:2]:
            for said in (b"", b"WOR"):
                asked, far = self.asked(place, listening, expect=b"WORDS")
                far.send(said)
                self.turn(5)
                far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETTING)
                far.close()
                self.assertEqual(self.unanswered(asked, Verdict.RESET).answer, said)

    def test_resetOfUnix(self) -> None:
        """
        A Unix socket that is closed with words unread cuts the connection off.
        """
        place, listening = self.listening("unix")
        asked = self.ask(place, b"words")
        self.accepted(listening).close()
        self.unanswered(asked, Verdict.RESET)

    def test_timeout(self) -> None:
        """
        Nobody accepts; or there is an answer without an end.
        """
        for place, listening in self.streams():
            fault = self.unanswered(self.ask(place, b"words", timeout=SHORTLY), Verdict.TIMEOUT)
            self.assertEqual(str(fault), "timeout: no end of an answer within 0.05 s")
            self.accepted(listening)
            asked, far = self.asked(place, listening, timeout=SHORTLY)
            far.send(b"WORDS")
            self.assertEqual(self.unanswered(asked, Verdict.TIMEOUT).answer, b"WORDS")

    def test_noConnectionInTime(self) -> None:
        """
        Nobody takes a connection: the queue of who listens is full.
        """
        place, listening = self.bound("tcp")
        listening.listen(0)
        self.connect(place.address)
        host, port = listening.getsockname()
        endpoint = TCP4ClientEndpoint(self.reactor, host, port, timeout=SHORTLY)
        fault = self.unanswered(ask(endpoint, reactor=self.reactor), Verdict.TIMEOUT)
        self.assertEqual(str(fault), "timeout: no connection in time")
        self.unanswered(self.ask(place, timeout=SHORTLY), Verdict.TIMEOUT)

    def test_eof(self) -> None:
        """
        An end, and nothing before it.
        """
        for place, listening in self.streams():
            for expect in (None, b"WORDS"):
                asked, far = self.asked(place, listening, expect=expect)
                far.close()
                self.assertEqual(self.unanswered(asked, Verdict.EOF).answer, b"")

    def test_short(self) -> None:
        """
        An end with a part of the answer.
        """
        for place, listening in self.streams():
            asked, far = self.asked(place, listening, expect=b"WORDS")
            far.send(b"WOR")
            far.close()
            fault = self.unanswered(asked, Verdict.SHORT)
            self.assertEqual((str(fault), fault.answer), ("short: 3 bytes of 5 came", b"WOR"))

    def test_corrupt(self) -> None:
        """
        Another answer, or more than the answer. It is known as soon as the first wrong byte has come, and kept.
        """
        for place, listening in self.streams():
            for said, at in ((b"WOoDS", 2), (b"WORDS!", 5), (b"words", 0)):
                asked, far = self.asked(place, listening, expect=b"WORDS")
                far.send(said)
                fault = self.unanswered(asked, Verdict.CORRUPT)
                self.assertEqual(fault.answer, said)
                self.assertEqual(str(fault), f"corrupt: not the answer expected, from byte {at} on")

    def test_corruptLater(self) -> None:
        """
        Where it begins to be wrong is counted from the beginning, however it was cut.
        """
        place, listening = self.listening()
        asked, far = self.asked(place, listening, expect=b"WORDS")
        far.send(b"WOR")
        self.turn(5)
        far.send(b"Dx")
        fault = self.unanswered(asked, Verdict.CORRUPT)
        self.assertEqual((fault.answer, str(fault)[-9:]), (b"WORDx", "byte 4 on"))

    def test_unreachable(self) -> None:
        """
        There is no such socket; or no stream leads there: the kernel connects none to many hosts at once.
        """
        for place, why in (
            (Target("unix", str(self.folder / "none")), "no such file or directory"),
            (target("tcp://127.255.255.255:8007"), "network is unreachable"),
            (target("tcp://[ff02::1]:8007"), "network is unreachable"),
        ):
            self.assertEqual(str(self.unanswered(self.ask(place), Verdict.UNREACHABLE)), f"unreachable: {why}")

    def test_wrongKind(self) -> None:
        """
        A socket for datagrams has no conversations.
        """
        place, _ = self.bound("unixgram")
        self.unanswered(self.ask(Target("unix", place.address)), Verdict.UNREACHABLE)

    def test_fullQueue(self) -> None:
        """
        A Unix socket whose queue is full takes no connection.
        """
        place, listening = self.bound("unix")
        listening.listen(0)
        self.connect(place.address)
        fault = self.unanswered(self.ask(place), Verdict.UNREACHABLE)
        self.assertEqual(str(fault), "unreachable: the peer takes no connection")

    def test_otherWays(self) -> None:
        """
        An endpoint may know other ways of not getting there.
        """
        for fault in (
            NoRouteError(),
            NoRouteError(errno.EHOSTUNREACH, "no route"),
            ConnectBindError(errno.EADDRNOTAVAIL, "no such address"),
            OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
            LookupError("no proxy"),
            LookupError(),
        ):
            self.unanswered(ask(Failing(fault), reactor=self.reactor), Verdict.UNREACHABLE)

    def test_dns(self) -> None:
        """
        A name that does not resolve, or that could not.
        """
        resolver = Resolver()
        self.reactor.installNameResolver(resolver)
        for name in ("no.such.invalid", "a" * 64, "two..dots", "-", "not\udce9a.name"):
            endpoint = HostnameEndpoint(self.reactor, name, 8007)
            self.unanswered(ask(endpoint, reactor=self.reactor), Verdict.DNS)
        self.assertEqual(resolver.asked[0], "no.such.invalid")


class DatagramVerdictTests(FarCase):
    """
    Datagrams.
    """

    def places(self) -> list[tuple[Target, socket.socket]]:
        """
        Who has an address, one of each kind.
        """
        return [self.bound("udp"), self.bound("udp", "::1"), self.bound("unixgram")]

    def asked(self, place: Target, far: socket.socket, **how: Any) -> tuple[Deferred[bytes], Any]:
        """
        Ask, and be asked.

        @return: the reply-to-be, and where it has to go.
        """
        asked = self.ask(place, b"words", **how)
        datagram, source = self.heardDatagram(far)
        self.assertEqual(datagram, b"words")
        return asked, source

    def test_ok(self) -> None:
        """
        A reply; with nothing expected, an empty one is as good.
        """
        for place, far in self.places():
            for reply, expect in ((b"WORDS", None), (b"WORDS", b"WORDS"), (b"", None), (b"", b"")):
                asked, source = self.asked(place, far, expect=expect)
                far.sendto(reply, source)
                self.assertEqual(self.wait(asked), reply)

    def test_refused(self) -> None:
        """
        Nobody has that port; a Unix socket is left over from somebody.
        """
        # Neither we nor another could be given that port of 127.0.0.1 unasked.
        _, held = self.bound("udp", "127.0.0.2")
        self.unanswered(self.ask(Target("udp", ("127.0.0.1", held.getsockname()[1])), b"words"), Verdict.REFUSED)
        place, far = self.bound("unixgram")
        far.close()
        self.unanswered(self.ask(place), Verdict.REFUSED)

    def test_timeout(self) -> None:
        """
        No reply.
        """
        for place, _ in self.places():
            fault = self.unanswered(self.ask(place, timeout=SHORTLY), Verdict.TIMEOUT)
            self.assertEqual(str(fault), "timeout: no reply within 0.05 s")

    def test_eof(self) -> None:
        """
        An empty reply where words were expected.
        """
        for place, far in self.places():
            asked, source = self.asked(place, far, expect=b"WORDS")
            far.sendto(b"", source)
            self.unanswered(asked, Verdict.EOF)

    def test_short(self) -> None:
        """
        A part of the reply.
        """
        for place, far in self.places():
            asked, source = self.asked(place, far, expect=b"WORDS")
            far.sendto(b"WOR", source)
            self.assertEqual(self.unanswered(asked, Verdict.SHORT).answer, b"WOR")

    def test_corrupt(self) -> None:
        """
        Another reply, or more than the reply.
        """
        for place, far in self.places():
            for said in (b"WOoDS", b"WORDS!", b"Wo"):
                asked, source = self.asked(place, far, expect=b"WORDS")
                far.sendto(said, source)
                self.assertEqual(self.unanswered(asked, Verdict.CORRUPT).answer, said)

    def test_wrongSource(self) -> None:
        """
        Nothing from there, but something from another port, or another address.
        """
        for where, elsewhere in (("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2"), ("::1", "::1")):
            place, far = self.bound("udp", where)
            other, another = self.bound("udp", elsewhere)
            asked, source = self.asked(place, far, timeout=SHORTLY)
            another.sendto(b"WORDS", source)
            fault = self.unanswered(asked, Verdict.WRONG_SOURCE)
            self.assertEqual(str(fault), f"wrong-source: a reply came from {str(other)[6:]}")

    def test_unreachable(self) -> None:
        """
        There is no such socket; or it is none that a datagram may go to.
        """
        place, _ = self.bound("unix")
        for address in (str(self.folder / "none"), place.address, ("127.255.255.255", 8007)):
            self.unanswered(askDatagram(address, reactor=self.reactor), Verdict.UNREACHABLE)

    def test_dns(self) -> None:
        """
        A name that does not resolve, or that could not.
        """
        resolver = Resolver()
        self.reactor.installNameResolver(resolver)
        for name in ("no.such.invalid", "a" * 64, "two..dots", "not\udce9a.name"):
            self.unanswered(askDatagram((name, 8007), reactor=self.reactor), Verdict.DNS)
        self.assertEqual(resolver.asked, ["no.such.invalid"])

    def test_usage(self) -> None:
        """
        No datagram is that long, and no port is that high.
        """
        for place, length in ((self.bound("udp")[0], 65508), (self.bound("unixgram")[0], 2**20)):
            fault = self.unanswered(self.ask(place, bytes(length)), Verdict.USAGE)
            self.assertEqual(str(fault), "usage: the message is longer than a datagram can be")
        for port in (-1, 0, 65536, 65536 + 8007):
            self.unanswered(askDatagram(("127.0.0.1", port), reactor=self.reactor), Verdict.USAGE)

"""
Checks of whole hosts: our own services, services that are not there, the pace, and other people's servers.
"""

from __future__ import annotations

import socket
from typing import Any
from unittest import skipUnless

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols import wire

from sockservices import Policy
from sockservices.client import Unanswered, Verdict
from sockservices.conformance import PORTS, RFC_PORTS, Result, Row, Seconds, check, countCases
from sockservices.conformance.deviation import compared, shown
from sockservices.conformance.pacer import Pacer
from sockservices.registry import find, names
from sockservices.responders import Discard, Echo, Welcome
from tests.support.conformance import LOOPBACK, QUICK, ConformanceCase, Replying, calling, saying
from tests.support.inetd import Xinetd, freePorts


class OursTests(ConformanceCase):
    """
    Tests for what our own services get.
    """

    def test_everyRowPasses(self) -> None:
        """
        Each case of each service passes, and each row is told once; there are as many as there were said to be.
        """
        told: list[Row] = []
        ports = {name: self.serve(find(name), Policy(timeout=QUICK.silence)) for name in names()}
        rows = self.check(ports, told=told.append)
        self.assertEqual([row for row in rows if row.result is not Result.PASS], [])
        self.assertEqual(sorted(told), sorted(rows))
        self.assertEqual(len(rows), countCases(ports))
        self.assertEqual({(row.service, row.port) for row in rows}, set(ports.items()))
        self.assertEqual(len({row[:5] for row in rows}), len(rows))

    def test_rowsOfAServiceAreTogether(self) -> None:
        """
        However their answers come in, the rows of a service stand together, those of streams first.
        """
        rows = self.check({name: self.serve(find(name)) for name in ("time", "echo", "greet")})
        order = [(row.service, row.transport) for row in rows]
        self.assertEqual(
            list(dict.fromkeys(order)),
            [(name, transport) for name in ("echo", "time", "greet") for transport in ("tcp", "udp")],
        )
        self.assertEqual(order, sorted(order, key=list(dict.fromkeys(order)).index))

    def test_ports(self) -> None:
        """
        By default services are asked for where this project's servers have them; those of the RFCs are 8000 below.
        """
        self.assertEqual(PORTS, {name: find(name).port for name in names()})
        self.assertEqual(RFC_PORTS, {name: PORTS[name] - 8000 for name in RFC_PORTS})

    def test_withheldReplies(self) -> None:
        """
        A service whose reply is withheld where it is longer than an empty datagram may have is limited there; what its
        replies are otherwise is judged by those that come.
        """
        port = self.serve(saying(b"q" * 100 + b"\r\n", end=True))
        (row,) = self.assertFaults(
            "qotd",
            port,
            ("udp", "answers any datagram, be it empty or long", "a reply to 512 bytes, none to an empty datagram"),
        )
        self.assertEqual((row.result, row.expected), (Result.LIMITED, "a reply to each"))

    def test_withheldEchoes(self) -> None:
        """
        An echo that does not give back the longest datagram at all is limited, not wrong.
        """
        port = self.serve(Echo, Policy(udpMax=2000))
        (row,) = self.assertFaults("echo", port, ("udp", "gives back 65,507 bytes, the most there can be", "no reply"))
        self.assertEqual((row.result, row.expected), (Result.LIMITED, "65507 bytes"))


class ThereTests(ConformanceCase):
    """
    Tests for services that are not there.
    """

    def absent(self, ports: dict[str, int]) -> list[tuple[str, str, str]]:
        """
        Check, and have the rows that say so.
        """
        rows = self.check(ports)
        return [(row.service, row.transport, row.seen) for row in rows if row.result is Result.NOT_OFFERED]

    def test_nobody(self) -> None:
        """
        Where nobody listens, there is one row for a service and transport: refused.
        """
        (port,) = freePorts(1)
        told: list[Row] = []
        rows = self.check({"echo": port, "discard": port, "time": port}, told=told.append)
        self.assertEqual({(row.result, row.seen, row.expected) for row in rows}, {(Result.NOT_OFFERED, "refused", "")})
        self.assertEqual(len(rows), 6)
        self.assertEqual(sorted(told), sorted(rows))

    def test_oneTransport(self) -> None:
        """
        A service may be there on one transport alone.
        """
        self.assertEqual(self.absent({"echo": self.serve(Echo, udp=False)}), [("echo", "udp", "refused")])
        self.assertEqual(self.absent({"discard": self.serve(Discard, tcp=False)}), [("discard", "tcp", "refused")])

    def test_silence(self) -> None:
        """
        A port that answers no datagram has no service, after three tries with an empty and three with a long one.
        """
        heard: list[int] = []
        port = self.listen(None, Replying(lambda datagram, addr: heard.append(len(datagram))))
        self.assertEqual(self.absent({"echo": port}), [("echo", "tcp", "refused"), ("echo", "udp", "timeout")])
        self.assertEqual(sorted(heard), [0] * 3 + [512] * 3)

    def test_silentHost(self) -> None:
        """
        To discard datagrams in silence is right; but where a host gives no sign of itself at all, it shows nothing.
        """
        silent = self.listen(None, Replying(lambda datagram, addr: None))
        # Where its queue is full, nobody hears of a listener.
        full = self.keep(socket.socket())
        full.bind((LOOPBACK, silent))
        full.listen(0)
        self.connect((LOOPBACK, silent))
        self.assertEqual(
            self.absent({"discard": silent}),
            [("discard", "tcp", "timeout"), ("discard", "udp", "timeout")],
        )
        full.close()
        self.assertEqual(self.absent({"discard": silent}), [("discard", "tcp", "refused")])

    def test_lostDatagrams(self) -> None:
        """
        Datagrams are lost: what is answered at the second try is as good.
        """
        tries: dict[bytes, int] = {}

        def heard(datagram: bytes, addr: Any) -> None:
            tries[datagram] = tries.get(datagram, 0) + 1
            if tries[datagram] % 2 == 0:
                protocol.transport.write(datagram, addr)

        protocol = Replying(heard)
        port = self.listen(None, protocol)
        self.assertEqual({row.result for row in self.check({"echo": port})[1:]}, {Result.PASS})

    def test_noSuchName(self) -> None:
        """
        A name that cannot be has no rows.
        """
        checking = check("x" * 64, {"echo": 7}, reactor=self.reactor)
        self.assertIs(self.failureResultOf(checking, Unanswered).value.verdict, Verdict.DNS)

    def test_noSuchService(self) -> None:
        """
        There are no cases for other services.
        """
        self.assertRaisesRegex(ValueError, "no cases for gopher", check, LOOPBACK, {"gopher": 70}, reactor=self.reactor)

    def test_givenUp(self) -> None:
        """
        A check that is cancelled leaves nothing in the reactor.
        """
        ports = {"echo": self.serve(Echo), "welcome": self.serve(Welcome)}
        before = set(self.reactor.getReaders())
        checking = check(LOOPBACK, ports, reactor=self.reactor, seconds=QUICK)
        self.turn(5)
        checking.cancel()
        self.failureResultOf(checking, CancelledError)
        self.until(lambda: set(self.reactor.getReaders()) == before)


class PaceTests(ConformanceCase):
    """
    Tests for how fast is asked.
    """

    def test_turns(self) -> None:
        """
        Turns come one after the other, the first at once; who asks after a pause need not wait.
        """
        clock = Clock()
        pacer = Pacer(clock, 0.5)
        turns: list[float] = []
        for _ in range(3):
            pacer.turn().addCallback(lambda _: turns.append(clock.seconds()))
        clock.pump([0.25] * 8)
        self.assertEqual(turns, [0.25, 0.5, 1.0])
        pacer.turn().addCallback(lambda _: turns.append(clock.seconds()))
        clock.advance(0)
        self.assertEqual(turns, [0.25, 0.5, 1.0, 2.0])

    def test_datagramsOfAllServices(self) -> None:
        """
        A host gets no more datagrams in a time than it is to get, however many services are asked for.
        """
        heard: list[float] = []
        ports = {
            name: self.listen(None, Replying(lambda datagram, addr: heard.append(self.reactor.seconds())))
            for name in ("echo", "time", "qotd")
        }
        self.check(ports, Seconds(answer=0.3, connections=0, datagrams=0.05))
        self.assertEqual(len(heard), 18)
        self.assertGreater(heard[-1] - heard[0], 0.05 * 16)

    def test_connectionsAtATime(self) -> None:
        """
        No more than four conversations are open at a time.
        """
        opened: list[Any] = []
        most: list[int] = []

        def made(transport: Any) -> None:
            opened.append(transport)
            most.append(sum(1 for each in opened if each.connected))

        ports = {name: self.listen(calling(made), None) for name in names()}
        self.check(ports, Seconds(answer=0.1, silence=0.1, connections=0, datagrams=0))
        self.assertEqual(max(most), 4)


class TwistedsOwnTests(ConformanceCase):
    """
    Tests for what Twisted's own services are known for.
    """

    def factory(self, protocol: type[Protocol]) -> Factory:
        """
        A factory that logs nothing.
        """
        return Factory.forProtocol(protocol)

    def test_time(self) -> None:
        """
        It counts from 1970.
        """
        port = self.listen(self.factory(wire.Time), None)
        rows = [row for row in self.check({"time": port}) if row.result is Result.FAIL]
        self.assertEqual(
            [row.sentence for row in rows], ["counts the seconds since 1900, unsigned, within a minute of ours"]
        )
        self.assertRegex(rows[0].seen, r"^\d{10}: it counts from 1970$")

    def test_daytime(self) -> None:
        """
        It fails before it says a word.
        """
        port = self.listen(self.factory(wire.Daytime), None)
        rows = self.check({"daytime": port})
        self.assertEqual({row.result for row in rows if row.transport == "tcp"}, {Result.FAIL})
        self.assertNotEqual(self.flushLoggedErrors(TypeError), [])

    def test_chargen(self) -> None:
        """
        Its talk has no lines.
        """
        port = self.listen(self.factory(wire.Chargen), None)
        rows = [row for row in self.check({"chargen": port}) if row.result is Result.FAIL]
        self.assertEqual([row.expected for row in rows], ["lines of 72 characters and CR LF"])

    def test_qotd(self) -> None:
        """
        Its quote is as good as any.
        """
        port = self.listen(self.factory(wire.QOTD), None)
        self.assertFaults("qotd", port, ("udp", "is there", "refused"))


@skipUnless(Xinetd.program, "xinetd is not installed")
class XinetdTests(ConformanceCase):
    """
    Tests for what is known of xinetd's internal services.
    """

    def test_deviations(self) -> None:
        """
        What it does that its RFCs do not say is found, and nothing else. Its resets depend on who is faster.
        """
        with Xinetd(self.folder) as server:
            rows = self.check(server.ports, Seconds(answer=1, datagrams=0))
        reset = "drops what it is sent, and ends as cleanly"
        self.assertEqual(
            [
                (row.service, row.transport, row.seen)
                for row in rows
                if row.result is not Result.PASS and row.sentence != reset
            ],
            [
                ("echo", "udp", "2048 bytes"),
                ("chargen", "tcp", "no b' ~' in any line"),
                ("chargen", "udp", "1024 characters"),
                ("chargen", "udp", "1024 characters each time"),
            ],
        )
        for row in rows:
            if row.sentence == reset and row.result is Result.FAIL:
                self.assertIn(", then a reset", row.seen)
        self.assertEqual(len(rows), countCases(server.ports))


class ShownTests(ConformanceCase):
    """
    Tests for how bytes are shown.
    """

    def test_short(self) -> None:
        """
        A few bytes are shown as they are, in printing characters.
        """
        self.assertEqual(shown(b"a\r\n\xff"), "b'a\\r\\n\\xff'")
        self.assertEqual(shown(b""), "nothing")

    def test_long(self) -> None:
        """
        Many bytes are cut, and counted.
        """
        for said in b"a" * 1000, bytes(1000), b"\\" * 61, b"'\"" * 40:
            text = shown(said)
            self.assertLess(len(text), 80)
            self.assertTrue(text.endswith(f"... of {len(said)}"), text)

    def test_compared(self) -> None:
        """
        Long ones are shown from where they differ, or with their lengths.
        """
        self.assertEqual(compared(b"a", b"b"), ("b'a'", "b'b'"))
        self.assertEqual(compared(b"a" * 100, b"a" * 99 + b"b"), ("b'a' at byte 99 of 100", "b'b' at byte 99 of 100"))
        self.assertEqual(compared(b"a" * 100, b"a" * 200), ("100 bytes", "200 bytes"))
        self.assertEqual(compared(b"", b"a" * 200), ("no bytes", "200 bytes"))

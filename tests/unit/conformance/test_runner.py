"""
Checks of whole hosts: this project's services, services that are not offered, the rate of requests, and cancellation.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError

from sockservices import Policy
from sockservices.client import Unanswered, Verdict
from sockservices.conformance import PORTS, RFC_PORTS, Result, Row, Timing, check, countCases
from sockservices.registry import find, names
from sockservices.responders import Discard, Echo, Welcome
from tests.support.client import SHORT_TIMEOUT, SlowResolver
from tests.support.conformance import (
    LOOPBACK,
    QUICK,
    CallbackDatagrams,
    ConformanceCase,
    callbackFactory,
    responderOf,
)
from tests.support.inetd import freePorts


class ConformingTests(ConformanceCase):
    """
    Checks of this project's services.
    """

    def test_everyRowPasses(self) -> None:
        """
        Each case of each service passes and is reported once, and L{countCases} gives their number.
        """
        reported: list[Row] = []
        ports = {name: self.serve(find(name), Policy(timeout=QUICK.welcomeDeadline)) for name in names()}
        rows = self.check(ports, onRow=reported.append)
        self.assertEqual([row for row in rows if row.result is not Result.PASS], [])
        self.assertEqual(sorted(reported), sorted(rows))
        self.assertEqual(len(rows), countCases(ports))
        self.assertEqual({(row.service, row.port) for row in rows}, set(ports.items()))
        self.assertEqual(len({row[:5] for row in rows}), len(rows))

    def test_rowsOfAServiceAreTogether(self) -> None:
        """
        The rows of a service are together, TCP first, for any order of the results.
        """
        rows = self.check({name: self.serve(find(name)) for name in ("time", "echo", "greet")})
        order = [(row.service, row.transport) for row in rows]
        groups = [(name, transport) for name in ("echo", "time", "greet") for transport in ("tcp", "udp")]
        self.assertEqual(list(dict.fromkeys(order)), groups)
        self.assertEqual(order, sorted(order, key=groups.index))

    def test_defaults(self) -> None:
        """
        The default ports, and the deadline of C{welcome}, are those of this project's server. The ports of the RFCs are
        8000 below.
        """
        self.assertEqual(Timing().welcomeDeadline, Welcome.deadline)
        self.assertEqual(PORTS, {name: find(name).port for name in names()})
        self.assertEqual(RFC_PORTS, {name: PORTS[name] - 8000 for name in RFC_PORTS})

    def test_withheldReplies(self) -> None:
        """
        A reply that a size rule withholds is limited, and the cases about its data use the replies that arrive.
        """
        withholding = self.serve(responderOf(b"q" * 100 + b"\r\n", close=True))
        row = "udp replies to any datagram -> a reply to 512 bytes, no reply to an empty datagram"
        ((quote,),) = self.assertFailing("qotd", (withholding, [row]))
        limiting = self.serve(Echo, Policy(udpMax=2000))
        ((echo,),) = self.assertFailing("echo", (limiting, ["udp returns 65,507 bytes -> no reply"]))
        self.assertEqual({quote.result, echo.result}, {Result.LIMITED})
        self.assertEqual([quote.expected, echo.expected], ["a reply to each", "65507 bytes"])


class NotOfferedTests(ConformanceCase):
    """
    Checks of services that are not offered.
    """

    def notOffered(self, ports: dict[str, int], **options: Any) -> list[tuple[str, str, str]]:
        """
        Check services, and return the rows of those that are not offered.
        """
        rows = self.check(ports, **options)
        return [(row.service, row.transport, row.seen) for row in rows if row.result is Result.NOT_OFFERED]

    def test_noListener(self) -> None:
        """
        A closed port gives one row per transport, refused, which is reported.
        """
        (port,) = freePorts(1)
        reported: list[Row] = []
        rows = self.check({"echo": port, "discard": port, "time": port}, onRow=reported.append)
        self.assertEqual({(row.result, row.seen, row.expected) for row in rows}, {(Result.NOT_OFFERED, "refused", "")})
        self.assertEqual(len(rows), 6)
        self.assertEqual(sorted(reported), sorted(rows))

    def test_oneTransport(self) -> None:
        """
        A service may be offered over one transport only.
        """
        self.assertEqual(self.notOffered({"echo": self.serve(Echo, udp=False)}), [("echo", "udp", "refused")])
        self.assertEqual(self.notOffered({"discard": self.serve(Discard, tcp=False)}), [("discard", "tcp", "refused")])

    def test_noReply(self) -> None:
        """
        A UDP port that does not reply is not offered, after three empty and three long datagrams.
        """
        lengths: list[int] = []
        port = self.listen(None, CallbackDatagrams(lambda datagram, addr: lengths.append(len(datagram))))
        self.assertEqual(self.notOffered({"echo": port}), [("echo", "tcp", "refused"), ("echo", "udp", "timeout")])
        silent = self.listen(None, CallbackDatagrams())
        self.assertIn(("whoami", "udp", "timeout"), self.notOffered({"whoami": silent}))
        self.assertEqual(sorted(lengths), [0] * 3 + [512] * 3)

    def test_silentHost(self) -> None:
        """
        Discard passes over UDP by its silence only if the host has shown otherwise that it is up.
        """
        silent = self.listen(None, CallbackDatagrams())
        full = self.fillBacklog(silent)
        both = [("discard", "tcp", "no-connection"), ("discard", "udp", "timeout")]
        self.assertEqual(self.notOffered({"discard": silent}), both)
        full.close()
        self.assertEqual(self.notOffered({"discard": silent}), [("discard", "tcp", "refused")])

    def test_lostDatagrams(self) -> None:
        """
        A reply to the second attempt passes.
        """
        attempts: dict[bytes, int] = {}

        def reply(datagram: bytes, addr: Any) -> None:
            attempts[datagram] = attempts.get(datagram, 0) + 1
            if attempts[datagram] % 2 == 0:
                protocol.transport.write(datagram, addr)

        protocol = CallbackDatagrams(reply)
        self.assertFailing("echo", (self.listen(None, protocol), []))

    def test_unresolvableName(self) -> None:
        """
        A check fails if the name does not resolve, or not within the response timeout.
        """
        checking = check("x" * 64, {"echo": 7}, reactor=self.reactor)
        self.assertIs(self.failureResultOf(checking, Unanswered).value.verdict, Verdict.DNS)
        self.reactor.installNameResolver(SlowResolver())
        checking = check("a.name", {"echo": 7}, reactor=self.reactor, timing=Timing(SHORT_TIMEOUT))
        self.until(lambda: checking.called)
        self.assertIs(self.failureResultOf(checking, Unanswered).value.verdict, Verdict.TIMEOUT)

    def test_unknownService(self) -> None:
        """
        A service without cases is rejected.
        """
        self.assertRaisesRegex(ValueError, "no cases for gopher", check, LOOPBACK, {"gopher": 70}, reactor=self.reactor)


class CancellationTests(ConformanceCase):
    """
    Checks that end early, long before a timeout or an interval of 60 s.
    """

    SLOW = Timing(responseTimeout=60, connectionInterval=0, datagramInterval=0)

    def assertEndsEarly(self, before: set[Any]) -> None:
        """
        Require that the reactor soon has the same readers as before the check.
        """
        self.until(lambda: set(self.reactor.getReaders()) == before)
        self.assertLess(self.clock.seconds(), 1)

    def test_cancelled(self) -> None:
        """
        A check that is cancelled leaves no socket in the reactor.
        """
        ports = {"echo": self.serve(Echo), "welcome": self.serve(Welcome)}
        before = set(self.reactor.getReaders())
        checking = check(LOOPBACK, ports, reactor=self.reactor, timing=self.SLOW)
        self.turn(5)
        checking.cancel()
        self.failureResultOf(checking, CancelledError)
        self.assertEndsEarly(before)

    def test_caseRaises(self) -> None:
        """
        If a case raises another exception than a deviation, the check fails with it and cancels all other cases.
        """

        def broken() -> float:
            raise RuntimeError("no clock")

        ports = {"echo": self.listen(None, CallbackDatagrams()), "time": self.serve(find("time"), udp=False)}
        before = set(self.reactor.getReaders())
        self.assertRaises(RuntimeError, self.check, ports, self.SLOW, now=broken)
        self.assertEndsEarly(before)

    def test_refused(self) -> None:
        """
        If one of two concurrent requests is refused, the other is cancelled.
        """
        before = set(self.reactor.getReaders())
        self.check({"echo": freePorts(1)[0]}, Timing(datagramInterval=60))
        self.assertEndsEarly(before)
        self.assertQuiet()


class RateTests(ConformanceCase):
    """
    The rate and the number of requests.
    """

    def test_datagramInterval(self) -> None:
        """
        All services of a host share one interval between datagrams.
        """
        times: list[float] = []
        ports = {
            name: self.listen(None, CallbackDatagrams(lambda datagram, addr: times.append(self.reactor.seconds())))
            for name in ("echo", "time", "qotd")
        }
        self.check(ports, Timing(responseTimeout=0.3, connectionInterval=0, datagramInterval=0.05))
        self.assertEqual(len(times), 18)
        self.assertGreater(times[-1] - times[0], 0.05 * 16)

    def test_openConnections(self) -> None:
        """
        At most four connections are open at a time.
        """
        transports: list[Any] = []
        open_: list[int] = []

        def connected(transport: Any) -> None:
            transports.append(transport)
            open_.append(sum(1 for each in transports if each.connected))

        ports = {name: self.listen(callbackFactory(connected)) for name in names()}
        self.check(ports, Timing(responseTimeout=0.1, welcomeDeadline=0.1, connectionInterval=0, datagramInterval=0))
        self.assertEqual(max(open_), 4)

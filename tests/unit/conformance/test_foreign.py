"""
Known deviations of foreign servers: Twisted's own protocols, and xinetd.
"""

from __future__ import annotations

from unittest import skipUnless

from twisted.internet.protocol import Factory
from twisted.protocols import wire

from sockservices.conformance import Result, Timing, countCases
from tests.support.conformance import ConformanceCase
from tests.support.inetd import Xinetd
from tests.support.loop import LoopCase


class TwistedTests(ConformanceCase):
    """
    L{twisted.protocols.wire}.
    """

    def test_deviations(self) -> None:
        """
        C{Time} counts from 1970, C{Chargen} has no lines, and C{QOTD} conforms.
        """
        for protocol, service, failing in (
            (wire.Time, "time", ["tcp seconds since 1900 -> ...: it counts from 1970"]),
            (wire.Chargen, "chargen", ["tcp lines of 72 characters and CR LF -> ..."]),
            (wire.QOTD, "qotd", []),
        ):
            self.assertFailing(service, (self.listen(Factory.forProtocol(protocol)), failing))

    def test_daytime(self) -> None:
        """
        C{Daytime} raises L{TypeError} before it sends data.
        """
        rows = self.check({"daytime": self.listen(Factory.forProtocol(wire.Daytime))})
        self.assertEqual({row.result for row in rows if row.transport == "tcp"}, {Result.FAIL})
        self.assertNotEqual(self.flushLoggedErrors(TypeError), [])


@skipUnless(Xinetd.program, "xinetd is not installed")
class XinetdTests(ConformanceCase):
    """
    xinetd's internal services, in real time.
    """

    makeReactor = LoopCase.makeReactor
    until = LoopCase.until

    def test_deviations(self) -> None:
        """
        The check finds xinetd's deviations, and nothing else. Whether xinetd resets a connection is a race.
        """
        with Xinetd(self.folder) as server:
            rows = self.check(server.ports, Timing(responseTimeout=1, datagramInterval=0))
        failing = [row for row in rows if row.result is not Result.PASS]
        resets = [row for row in failing if row.sentence == "ignores input, and closes without a reset"]
        self.assertEqual(
            [(row.service, row.transport, row.seen) for row in failing if row not in resets],
            [
                ("echo", "udp", "2048 bytes"),
                ("chargen", "tcp", "no b' ~' in any line"),
                ("chargen", "udp", "1024 characters"),
                ("chargen", "udp", "1024 characters each time"),
            ],
        )
        for row in resets:
            self.assertIn(", then reset", row.seen)
        self.assertEqual(len(rows), countCases(server.ports))

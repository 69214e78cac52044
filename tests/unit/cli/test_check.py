"""
The verdict of C{sockservices check} on a host that offers no service.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.check import reasonNotOffered
from sockservices.client import Verdict
from sockservices.conformance import Result, Row


class ReasonNotOfferedTests(SynchronousTestCase):
    """
    Tests for L{reasonNotOffered}.
    """

    def test_order(self) -> None:
        """
        Refused and unreachable say more about the host than the silence of some services.
        """
        for seen, verdict in (
            ("timeout refused unreachable", Verdict.REFUSED),
            ("timeout unreachable", Verdict.UNREACHABLE),
            ("timeout eof", Verdict.TIMEOUT),
        ):
            rows = [Row("echo", "tcp", 7, "RFC 862", "", Result.NOT_OFFERED, word) for word in seen.split()]
            self.assertIs(reasonNotOffered(rows), verdict)

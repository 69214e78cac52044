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
        A refusal is preferred to unreachable, and both to a timeout: other services of the host may ignore requests.
        """
        for seen, verdict in (
            ("timeout refused unreachable", Verdict.REFUSED),
            ("timeout unreachable", Verdict.UNREACHABLE),
            ("timeout no-connection", Verdict.NO_CONNECTION),
            ("timeout eof", Verdict.TIMEOUT),
        ):
            rows = [Row("echo", "tcp", 7, "RFC 862", "", Result.NOT_OFFERED, reason) for reason in seen.split()]
            self.assertIs(reasonNotOffered(rows), verdict)

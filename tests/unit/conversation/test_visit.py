"""
L{Visit} and L{Outcome}.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, Visit

#: The texts that users find in their logs.
TEXTS = {
    Outcome.DONE: "done",
    Outcome.FINISHED: "finished",
    Outcome.TIMED_OUT: "time out",
    Outcome.IDLE: "idle",
    Outcome.STALLED: "stalled",
    Outcome.GRACE: "grace",
    Outcome.DRAINED: "drained",
    Outcome.RESET: "reset",
    Outcome.REFUSED: "refused",
    Outcome.ERROR: "error",
    Outcome.MISMATCH: "mismatch",
}


class VisitTests(SynchronousTestCase):
    """
    The public names and values.
    """

    def test_fields(self) -> None:
        """
        A visit is an immutable value with these fields.
        """
        fields = {
            "service": "echo",
            "transport": "tcp",
            "peer": IPv4Address("TCP", "192.0.2.7", 40000),
            "serial": 7,
            "seconds": 0.5,
            "received": 3,
            "sent": 2,
            "outcome": Outcome.DONE,
            "faults": (("latency", 3),),
            "mismatch": None,
        }
        visit = Visit(*fields.values())  # type: ignore[arg-type]
        self.assertEqual(visit._asdict(), fields)
        self.assertEqual(visit, Visit(*fields.values()))  # type: ignore[arg-type]
        for name in fields:
            with self.assertRaises(AttributeError):
                setattr(visit, name, 1)

    def test_outcomes(self) -> None:
        """
        Every outcome has its own text, which fits into a log line. The texts of connections are fixed.
        """
        self.assertEqual({outcome: outcome.value for outcome in TEXTS}, TEXTS)
        # Members with the same value would be aliases, which iteration leaves out.
        self.assertEqual(len(list(Outcome)), len(Outcome.__members__))
        for outcome in Outcome:
            self.assertRegex(outcome.value, r"\A[a-z0-9 ]+\Z")

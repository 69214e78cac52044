"""
What is remembered of a conversation.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, Visit

PEER = IPv4Address("TCP", "192.0.2.7", 40000)


class VisitTests(SynchronousTestCase):
    """
    Tests for L{Visit} and L{Outcome}.
    """

    def test_fields(self) -> None:
        """
        A visit has the peer, the duration, the bytes and the outcome.
        """
        visit = Visit("echo", "tcp", PEER, 7, 0.5, 3, 2, Outcome.DONE)
        self.assertEqual(
            visit._asdict(),
            {
                "service": "echo",
                "transport": "tcp",
                "peer": PEER,
                "serial": 7,
                "seconds": 0.5,
                "received": 3,
                "sent": 2,
                "outcome": Outcome.DONE,
            },
        )
        self.assertEqual(visit, Visit("echo", "tcp", PEER, 7, 0.5, 3, 2, Outcome.DONE))

    def test_frozen(self) -> None:
        """
        A visit is immutable.
        """
        visit = Visit("echo", "tcp", None, 7, 0.5, 3, 2, Outcome.DONE)
        for name in visit._fields:
            with self.assertRaises(AttributeError):
                setattr(visit, name, 1)

    def test_outcomes(self) -> None:
        """
        These are the outcomes and their texts.
        """
        words = {
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
        }
        self.assertEqual({outcome: outcome.value for outcome in words}, words)

    def test_outcomeTexts(self) -> None:
        """
        Every outcome has a text of its own that fits into a log line.
        """
        words = [outcome.value for outcome in Outcome]
        # Members that shared a value would be one.
        self.assertEqual(len(words), len(Outcome.__members__))
        for word in words:
            self.assertRegex(word, r"\A[a-z0-9 ]+\Z")

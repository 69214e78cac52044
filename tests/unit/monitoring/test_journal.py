"""
The journal of segments and datagrams.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sockservices.monitoring import journal as journals
from sockservices.monitoring.journal import DatagramJournal, Journal, StreamJournal
from sockservices.responders import Daytime, Upper
from sockservices.testing import converse


class JournalTests(SynchronousTestCase):
    """
    What the journal keeps.
    """

    def entries(self, journal: Journal) -> list[tuple[str, int, bytes]]:
        """
        The direction, conversation and data of each entry.
        """
        return [(entry.direction, entry.conversation, entry.data) for entry in journal]

    def test_segments(self) -> None:
        """
        Each segment is kept with its time, direction, conversation and peer, in the order in which they passed.
        """
        journal = Journal(lambda: 5.0, lambda: 1000.0)
        layers = [partial(StreamJournal, journal=journal)]
        peers = [converse(Upper, layers=layers), converse(Daytime, layers=layers)]
        for segment in (b"a", b"b"):
            peers[0].say(segment)
        self.assertEqual(
            self.entries(journal),
            [("out", 2, peers[1].heard), ("in", 1, b"a"), ("out", 1, b"A"), ("in", 1, b"b"), ("out", 1, b"B")],
        )
        self.assertEqual((journal[0].time, journal[0].peer), (1000.0, "127.0.0.1:40000"))
        self.assertEqual((len(journal), journal[1:2], journal.leftOut), (5, [journal[1]], 0))

    def test_datagrams(self) -> None:
        """
        A reply has the number of its datagram. A datagram without a reply is kept too.
        """
        for transport, source in (("udp", "127.0.0.1:40000"), ("unixgram", "/nowhere/peer.sock")):
            journal = Journal()
            peer: Any = converse(Upper, transport=transport, layers=[partial(DatagramJournal, journal=journal)])  # type: ignore[call-overload]
            for datagram in (b"a", b"", b"b"):
                peer.say(datagram)
            self.assertEqual(
                self.entries(journal),
                [("in", 1, b"a"), ("out", 1, b"A"), ("in", 2, b""), ("out", 2, b""), ("in", 3, b"b"), ("out", 3, b"B")],
            )
            self.assertEqual({entry.peer for entry in journal}, {source})

    def test_limit(self) -> None:
        """
        The first 4 MiB and 50,000 entries are kept. The journal counts what it leaves out.
        """
        journal = Journal(lambda: 1.0)
        for _ in range(5):
            journal.add("in", 1, "-", bytes(2**20))
        journal.add("in", 1, "-", b"x")
        self.assertEqual((len(journal), journal.leftOut, journal.leftOutBytes), (4, 2, 2**20 + 1))
        self.assertTrue(repr(journal).endswith(f"\n2 more with {2**20 + 1} bytes left out"))
        journal = Journal()
        for _ in range(journals.MAX_ENTRIES + 1):
            journal.add("in", 1, "-", b"x")
        self.assertEqual((len(journal), journal.leftOut), (journals.MAX_ENTRIES, 1))

    def test_repr(self) -> None:
        """
        The repr lists the entries with the time since the first one, for the report of a failed assertion.
        """
        times = iter((0.0, 1.0, 1.25))
        journal = Journal(lambda: next(times))
        self.assertEqual(repr(journal), "no entries")
        journal.add("in", 1, "-", b"a\n")
        journal.add("out", 1, "-", b"b")
        self.assertEqual(repr(journal), "0.000 s, conversation 1, in: b'a\\n'\n0.250 s, conversation 1, out: b'b'")

"""
What becomes of probes, counted.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.client import Unanswered, Verdict
from sockservices.client.tally import SIZE, Tally

REFUSED = Unanswered(Verdict.REFUSED, "nobody listens there")

#: The bytes of a probe by which it is known, be the others right or not.
HEAD = 27


class TallyTests(SynchronousTestCase):
    """
    Tests for L{Tally}.
    """

    def setUp(self) -> None:
        """
        Make a tally whose nonce is always the same.
        """
        self.tally = Tally(Random(1))

    def count(self) -> dict[str, int]:
        """
        What it has counted, but for zeros.
        """
        words = ("sent", "returned", "lost", "corrupt", "duplicated", "reordered")
        return {word: number for word in words if (number := getattr(self.tally, word))}

    def assertCount(self, **numbers: int) -> None:
        """
        It has counted this, and nothing else.
        """
        self.assertEqual(self.count(), numbers)

    def test_noProbe(self) -> None:
        """
        Where nothing was sent, nothing is amiss.
        """
        self.assertCount()
        self.assertEqual(self.tally.awaited, 0)
        self.assertEqual(list(self.tally.times), [])
        self.assertIs(self.tally.verdict, Verdict.OK)

    def test_oneProbe(self) -> None:
        """
        A probe is lost until it returns; how long that took is kept.
        """
        probe = self.tally.probe(5.0)
        self.assertCount(sent=1, lost=1)
        self.assertEqual(self.tally.awaited, 1)
        self.assertIs(self.tally.verdict, Verdict.TIMEOUT)
        self.tally.hear(probe, 5.25)
        self.assertCount(sent=1, returned=1)
        self.assertEqual(self.tally.awaited, 0)
        self.assertEqual(list(self.tally.times), [0.25])
        self.assertIs(self.tally.verdict, Verdict.OK)

    def test_probes(self) -> None:
        """
        Probes are all of one length, all different, and no upper-case service changes them.
        """
        probes = [self.tally.probe(0.0) for _ in range(100)]
        self.assertEqual({len(probe) for probe in probes}, {SIZE})
        self.assertEqual(len(set(probes)), 100)
        self.assertEqual([probe.upper() for probe in probes], probes)
        self.assertTrue(all(probe.isascii() and probe.decode().isprintable() for probe in probes))
        self.assertNotIn(Tally(Random(2)).probe(0.0), probes)

    def test_emptyReply(self) -> None:
        """
        An empty reply is none of ours.
        """
        self.tally.probe(0.0)
        self.tally.hear(b"", 1.0)
        self.assertCount(sent=1, lost=1, corrupt=1)
        self.assertEqual(list(self.tally.times), [])

    def test_otherProbes(self) -> None:
        """
        What another has sent is no copy of ours, be it of a number that we have sent too.
        """
        self.tally.hear(self.tally.probe(0.0), 1.0)
        self.tally.hear(Tally(Random(2)).probe(0.0), 1.0)
        self.assertCount(sent=1, returned=1, corrupt=1)
        self.assertIs(self.tally.verdict, Verdict.CORRUPT)

    def test_cutCopy(self) -> None:
        """
        A copy that is cut is corrupt, wherever it is cut.
        """
        probe = self.tally.probe(0.0)
        self.tally.hear(probe, 1.0)
        for length in range(SIZE):
            self.tally.hear(probe[:length], 1.0)
        self.assertCount(sent=1, returned=1, corrupt=SIZE)

    def test_spoiltThenGood(self) -> None:
        """
        A probe that comes back spoilt is not lost; if it comes once more, as it was, it has returned.
        """
        probe = self.tally.probe(0.0)
        self.tally.hear(probe[:-1] + b"!", 1.0)
        self.tally.hear(probe[:-1] + b"?", 1.0)
        self.assertCount(sent=1, corrupt=2)
        self.assertEqual(self.tally.awaited, 0)
        self.tally.hear(probe, 1.0)
        self.assertCount(sent=1, corrupt=2, returned=1)

    def test_numberOfAnother(self) -> None:
        """
        A reply whose number has become that of another probe takes nothing from that one.
        """
        first, second = self.tally.probe(0.0), self.tally.probe(0.0)
        self.tally.hear(second[:HEAD] + first[HEAD:], 1.0)
        self.tally.hear(second, 1.0)
        self.assertCount(sent=2, returned=1, corrupt=1, lost=1)

    def test_reordered(self) -> None:
        """
        Each that comes after one that was sent later is out of order; a copy of it is not counted as that again.
        """
        probes = [self.tally.probe(0.0) for _ in range(4)]
        for number in (2, 0, 1, 0, 3):
            self.tally.hear(probes[number], 1.0)
        self.assertCount(sent=4, returned=4, reordered=2, duplicated=1)
        self.assertIs(self.tally.verdict, Verdict.OK)

    def test_missed(self) -> None:
        """
        A probe that could not be sent is lost, and none to wait for; others keep their numbers apart from it.
        """
        self.tally.miss(REFUSED)
        self.tally.hear(self.tally.probe(0.0), 1.0)
        self.assertCount(sent=2, returned=1, lost=1)
        self.assertEqual(self.tally.awaited, 0)
        self.assertIs(self.tally.verdict, Verdict.REFUSED)

    def test_withdrawn(self) -> None:
        """
        Probes that were sent a moment ago are not lost when one stops; those before, spoilt or returned still count.
        """
        for now in (1.0, 2.0, 2.0, 3.0, 3.0):
            probe = self.tally.probe(now)
            if self.tally.sent == 2:
                self.tally.hear(probe[:-1], now)
            if self.tally.sent == 3:
                self.tally.hear(probe, now)
        self.tally.withdraw(1.5)
        self.assertCount(sent=3, returned=1, corrupt=1, lost=1)
        self.assertEqual(self.tally.awaited, 1)

    def test_withdrawnWithoutAReply(self) -> None:
        """
        Where nothing has ever returned, to stop early is no success.
        """
        self.tally.probe(2.0)
        self.tally.withdraw(1.5)
        self.assertCount(sent=1, lost=1)
        self.assertIs(self.tally.verdict, Verdict.TIMEOUT)

    def test_verdicts(self) -> None:
        """
        The verdict is the worst: a fault that cost a probe, then corruption, a wrong address, and loss.
        """
        probes = [self.tally.probe(0.0) for _ in range(2)]
        self.assertIs(self.tally.verdict, Verdict.TIMEOUT)
        self.tally.strays = 1
        self.assertIs(self.tally.verdict, Verdict.WRONG_SOURCE)
        self.tally.hear(b"words", 1.0)
        self.assertIs(self.tally.verdict, Verdict.CORRUPT)
        self.tally.fault = REFUSED
        self.assertIs(self.tally.verdict, Verdict.REFUSED)
        for probe in probes:
            self.tally.hear(probe, 1.0)
        self.assertIs(self.tally.verdict, Verdict.CORRUPT)

    @settings(deadline=None)
    @given(st.data())
    def test_anything(self, data: st.DataObject) -> None:
        """
        In whatever order replies come, be they lost, copied or spoilt, each is counted as what it is.
        """
        tally = self.tally = Tally(Random(1))
        probes = [tally.probe(float(number)) for number in range(data.draw(st.integers(0, 6)))]
        returned: list[int] = []
        spoilt: set[bytes] = set()
        corrupt = duplicated = reordered = 0
        for _ in range(data.draw(st.integers(0, 20))):
            reply = data.draw(self.replies(probes))
            tally.hear(reply, 10.0)
            if reply not in probes:
                corrupt += 1
                spoilt.add(reply[:HEAD])
            elif (number := probes.index(reply)) in returned:
                duplicated += 1
            else:
                reordered += number < max(returned, default=0)
                returned.append(number)
        out = {probe[:HEAD] for number, probe in enumerate(probes) if number not in returned}
        self.assertEqual((tally.sent, tally.returned, tally.corrupt), (len(probes), len(returned), corrupt))
        self.assertEqual((tally.duplicated, tally.reordered), (duplicated, reordered))
        self.assertEqual(tally.lost, len(out - spoilt))
        self.assertEqual(tally.awaited, len(out - spoilt))
        self.assertEqual(list(tally.times), [10.0 - number for number in returned])

    @staticmethod
    def replies(probes: list[bytes]) -> st.SearchStrategy[bytes]:
        """
        A reply to one of the probes: as it was, with bytes changed, cut, or longer; or something else.
        """
        if not probes:
            return st.binary(max_size=2 * SIZE)
        probe = st.sampled_from(probes)
        changed = st.builds(
            lambda probe, at, said: probe[:at] + said + probe[at + len(said) :],
            probe,
            st.integers(0, SIZE),
            st.binary(max_size=3),
        )
        cut = st.builds(lambda probe, length: probe[:length], probe, st.integers(0, SIZE))
        digits = st.builds(
            lambda probe, number: probe[:HEAD][:-1] + b"%d" % number + probe[HEAD:], probe, st.integers(0, 9)
        )
        return st.one_of(probe, probe, changed, cut, digits, st.binary(max_size=SIZE))

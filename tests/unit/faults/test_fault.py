"""
Faults as values, as text, and whom they meet.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.faults import Bandwidth, Corrupt, Fault, Latency, Limit, Loss, Refuse, Reset, Slice, parseFault
from sockservices.faults.draws import Draws

#: The text of a fault, and its value.
CORRECT = [
    ("latency,delay=0.1,jitter=0.05", Latency(0.1, jitter=0.05)),
    ("latency,delay=2,direction=out", Latency(2.0, direction="out")),
    ("bandwidth,rate=1000", Bandwidth(1000.0)),
    ("slice,size=1", Slice(1)),
    ("limit,bytes=1000,then=reset", Limit(1000, "reset")),
    ("reset,afterBytes=5,first=3", Reset(afterBytes=5, first=3)),
    ("refuse,skip=1,every=2", Refuse(skip=1, every=2)),
    ("corrupt,rate=0.001", Corrupt(0.001)),
    ("loss,rate=5%,burst=3,share=50%", Loss(0.05, burst=3.0, share=0.5)),
]

#: Text that is no fault, and the message.
WRONG = [
    ("los,rate=5%", "no fault 'los': expected bandwidth, corrupt, duplicate, hang, latency, limit, loss, refuse, "),
    ("", "no fault '': expected bandwidth, "),
    ("loss", "expected loss,rate=...: 0 to 1, or a percentage such as 5%"),
    ("loss,rat=1", "no key 'rat': loss takes rate, burst, direction, share, first, skip, every"),
    ("loss,rate", "loss: rate=: expected 0 to 1, or a percentage such as 5%"),
    ("loss,rate=5,", "no key '': loss takes rate, "),
    ("loss,rate=0.1,rate=0.2", "rate is given twice"),
    ("loss,rate=101%", "loss: rate=1.01: expected 0 to 1, or a percentage such as 5%"),
    ("loss,rate=nan", "loss: rate=nan: expected 0 to 1"),
    ("latency,delay=-1", "latency: delay=-1: expected seconds from 0 to 1000000000"),
    ("latency,delay=1,direction=up", "latency: direction=up: expected both, in or out"),
    ("bandwidth,rate=0", "bandwidth: rate=0: expected bytes per second from 1 to 1000000000"),
    ("limit,bytes=1.5", "limit: bytes=1.5: expected whole bytes from 0 to 1000000000"),
    ("limit,bytes=1,then=stop", "limit: then=stop: expected fin, reset or hang"),
    ("slice,size=0", "slice: size=0: expected whole bytes from 1 to 1000000000"),
    ("reset,after=5,afterBytes=3", "reset: after=5: expected after or afterBytes, not both"),
    ("refuse,every=0", "refuse: every=0: expected whole conversations from 1 to 1000000000"),
]


class FaultTextTests(SynchronousTestCase):
    """
    Tests for L{parseFault} and the text of faults.
    """

    def test_correct(self) -> None:
        """
        Text becomes a fault, and the fault's own text is the same, but for shares in percent.
        """
        for text, fault in CORRECT:
            self.assertEqual(parseFault(text), fault)
            self.assertEqual(parseFault(str(fault)), fault)
            if "%" not in text:
                self.assertEqual(str(fault), text)

    def test_wrong(self) -> None:
        """
        The message of an error names the word, key or value, and what is expected.
        """
        for text, message in WRONG:
            error = self.assertRaises(ValueError, parseFault, text)
            self.assertIn(message, str(error))

    def test_values(self) -> None:
        """
        A value out of range is rejected in a program, too.
        """
        self.assertRaises(ValueError, Latency, "soon")
        self.assertRaises(ValueError, Loss, True)
        self.assertRaises(ValueError, Refuse, first=-1)


class MeetsTests(SynchronousTestCase):
    """
    Tests for the conversations that a fault meets.
    """

    def test_numbers(self) -> None:
        """
        C{first}, C{skip} and C{every} choose conversations by their number; C{skip} comes first.
        """
        cases: list[tuple[Fault, list[int]]] = [
            (Refuse(), [1, 2, 3, 4, 5, 6, 7, 8]),
            (Refuse(first=3), [1, 2, 3]),
            (Refuse(skip=6), [7, 8]),
            (Refuse(every=3), [3, 6]),
            (Refuse(skip=1, first=2), [2, 3]),
            (Refuse(skip=1, first=5, every=2), [3, 5]),
            (Refuse(share=0), []),
            (Refuse(first=0), []),
        ]
        for fault, met in cases:
            self.assertEqual([number for number in range(1, 9) if fault.meets(number, Draws(7))], met, fault)

    def test_share(self) -> None:
        """
        C{share} chooses the same conversations with the same seed, in any order, and others with another seed.
        """
        fault = Refuse(share=0.3)
        met = [{number for number in range(1, 1001) if fault.meets(number, Draws(seed))} for seed in (7, 7, 8)]
        self.assertEqual(met[0], {number for number in range(1000, 0, -1) if fault.meets(number, Draws(7))})
        self.assertEqual(met[0], met[1])
        self.assertNotEqual(met[0], met[2])
        # 99.9 % of the binomial distribution of 1000 draws of 0.3 are within 48 of 300.
        self.assertTrue(252 <= len(met[0]) <= 348, len(met[0]))

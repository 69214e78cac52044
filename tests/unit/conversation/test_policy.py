"""
The limits, and what is no limit.
"""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, asdict, fields
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sockservices import Policy

#: A server's limits unless it is told otherwise.
DEFAULTS = {
    "timeout": None,
    "maxConnections": 1024,
    "maxPerSource": None,
    "maxRate": None,
    "idleTimeout": 300.0,
    "stallTimeout": 30.0,
    "closeGrace": 5.0,
    "drain": 10.0,
    "udpRate": None,
    "udpMax": 65527,
    "udpRfcSize": False,
}

#: Those that may be left open.
OPEN = {"timeout", "maxPerSource", "maxRate", "udpRate"}

#: Those that are seconds; the others are counted.
SECONDS = {"timeout", "idleTimeout", "stallTimeout", "closeGrace", "drain"}

NUMBERS = sorted(DEFAULTS.keys() - {"udpRfcSize"})


def limited(name: str, value: Any) -> Policy:
    """
    A policy of one limit.
    """
    limits = {name: value}
    return Policy(**limits)


class PolicyTests(SynchronousTestCase):
    """
    Tests for L{Policy}.
    """

    def test_defaults(self) -> None:
        """
        There are no limits but these, and these are their defaults.
        """
        self.assertEqual(asdict(Policy()), DEFAULTS)

    def test_oneValue(self) -> None:
        """
        Two policies of the same limits are the same.
        """
        self.assertEqual(Policy(drain=1), Policy(drain=1.0))
        self.assertEqual(hash(Policy(drain=1)), hash(Policy(drain=1)))
        self.assertNotEqual(Policy(drain=1), Policy())

    def test_frozen(self) -> None:
        """
        A policy does not change: many listeners may share it.
        """
        for name in DEFAULTS:
            with self.assertRaises(FrozenInstanceError):
                setattr(Policy(), name, 1)

    def test_byNameOnly(self) -> None:
        """
        Limits are named: nobody remembers their order.
        """
        self.assertRaises(TypeError, Policy, 5)

    def test_off(self) -> None:
        """
        Every limit can be 0.
        """
        for name in NUMBERS:
            self.assertEqual(getattr(limited(name, 0), name), 0)

    def refused(self, name: str, value: Any) -> None:
        """
        The value is refused in one line that names the limit, the value, and what is wanted.
        """
        whole = "" if name in SECONDS else "whole "
        message = str(self.assertRaises(ValueError, limited, name, value))
        self.assertEqual(message, f"{name}={value!r}: a {whole}number from 0 to 1000000000 is wanted")

    def test_noNumber(self) -> None:
        """
        What is less than 0, no finite number, or no number at all is no limit.
        """
        for name in NUMBERS:
            for value in (-1, -0.5, math.nan, math.inf, -math.inf, True, "5", b"5", [5], 5j):
                self.refused(name, value)

    def test_fraction(self) -> None:
        """
        Seconds have fractions, connections and bytes have not.
        """
        for name in NUMBERS:
            if name in SECONDS:
                self.assertEqual(getattr(limited(name, 0.25), name), 0.25)
            else:
                self.refused(name, 2.5)
                self.refused(name, 2.0)

    def test_open(self) -> None:
        """
        Only the responders' own deadline and the limits on one source can be left open.
        """
        for name in NUMBERS:
            if name in OPEN:
                self.assertIsNone(getattr(limited(name, None), name))
            else:
                self.refused(name, None)

    def test_told(self) -> None:
        """
        Every number has its unit and its meaning in words, for the command line.
        """
        for limit in fields(Policy):
            if limit.name in NUMBERS:
                self.assertTrue(limit.metadata["text"], limit.name)
                self.assertEqual(limit.metadata["unit"] == "seconds", limit.name in SECONDS, limit.name)

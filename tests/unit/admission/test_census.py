"""
How many conversations a server has, and whether it may have one more.
"""

from __future__ import annotations

import pickle
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Census, Environment, Outcome, Policy
from sockservices.admission.rate_limit import MOST

#: No limit but those that a test is about.
FREE = Policy(maxConnections=0, maxPerSource=0, maxRate=0, udpRate=0)


class AdmitTests(SynchronousTestCase):
    """
    Tests for L{Census.admit} and L{Census.release}.
    """

    def setUp(self) -> None:
        """
        A census of nobody.
        """
        self.census = Census()

    def admitted(self, policy: Policy, *hosts: str | None, now: float = 0.0) -> int:
        """
        How many of these are admitted.
        """
        return sum([self.census.admit(host, policy, now) for host in hosts])

    def test_maxConnections(self) -> None:
        """
        So many are admitted in all, wherever they come from, over Unix sockets too.
        """
        policy = Policy(maxConnections=4, maxPerSource=0, maxRate=0)
        self.assertEqual(self.admitted(policy, "192.0.2.1", "2001:db8::1", None, "127.0.0.1"), 4)
        self.assertEqual(self.admitted(policy, "192.0.2.2", "2001:db8:1::1", None, "127.0.0.1"), 0)
        self.assertEqual(self.census.connections, 4)

    def test_maxConnectionsOff(self) -> None:
        """
        A limit of 0 is none.
        """
        self.assertEqual(self.admitted(FREE, *["192.0.2.1"] * 2000), 2000)

    def test_defaultTotal(self) -> None:
        """
        By default there are 1024 places.
        """
        self.assertEqual(self.admitted(Policy(), *[None] * 1500), 1024)

    def test_maxPerSource(self) -> None:
        """
        So many are admitted from one source, and as many from the next; of twenty tries, exactly five.
        """
        policy = Policy(maxPerSource=5, maxRate=0)
        self.assertEqual(self.admitted(policy, *["192.0.2.1"] * 20), 5)
        self.assertEqual(self.admitted(policy, *["192.0.2.2"] * 20), 5)

    def test_defaultPerSource(self) -> None:
        """
        By default 64 of them are admitted from one source, but any number from this host itself.
        """
        policy = Policy(maxRate=0)
        self.assertEqual(self.admitted(policy, *["192.0.2.1"] * 100), 64)
        self.assertEqual(self.admitted(policy, *["127.0.0.1", "::1", "127.0.0.2", "::ffff:127.0.0.1"] * 100), 400)

    def test_numberHoldsForLoopback(self) -> None:
        """
        A number is meant for every source; those on loopback are told apart by their addresses.
        """
        policy = Policy(maxPerSource=5, maxRate=0)
        for host in ("127.0.0.1", "127.0.0.2", "::1"):
            self.assertEqual(self.admitted(policy, *[host] * 20), 5, host)

    def test_slash64(self) -> None:
        """
        A v6 customer has one source's share, however many addresses.
        """
        policy = Policy(maxPerSource=5, maxRate=0)
        self.assertEqual(self.admitted(policy, *[f"2001:db8:0:1::{number:x}" for number in range(20)]), 5)
        self.assertEqual(self.admitted(policy, *[f"2001:db8:0:2::{number:x}" for number in range(20)]), 5)

    def test_mapped(self) -> None:
        """
        A v4 source has one share, whichever socket it comes to.
        """
        policy = Policy(maxPerSource=5, maxRate=0)
        self.assertEqual(self.admitted(policy, *["192.0.2.1", "::ffff:192.0.2.1"] * 10), 5)
        self.census.release("::ffff:192.0.2.1")
        self.assertEqual(self.admitted(policy, "192.0.2.1"), 1)

    def test_unixHasNoSource(self) -> None:
        """
        Unix peers are limited in all only.
        """
        self.assertEqual(self.admitted(Policy(maxPerSource=1, maxRate=1), *[None] * 100), 100)

    def test_maxRate(self) -> None:
        """
        Of 200 connections in a second for two seconds, a burst and the rate are admitted, and nobody else suffers.
        """
        policy = Policy(maxRate=50, maxPerSource=0, maxConnections=0)
        times = [1000 + number / 200 for number in range(401)]
        admitted = sum([self.census.admit("192.0.2.1", policy, now) for now in times])
        self.assertEqual(admitted, 100 + 2 * 50)
        self.assertEqual(self.admitted(policy, "192.0.2.2", now=1002.0), 1)
        self.assertEqual(self.admitted(policy, *["192.0.2.1"] * 100, now=1003.0), 50)

    def test_defaultRate(self) -> None:
        """
        By default 50 a second are admitted from one source, but any number from this host, and over Unix sockets.
        """
        policy = Policy(maxPerSource=0, maxConnections=0)
        self.assertEqual(self.admitted(policy, *["192.0.2.1"] * 1000), 100)
        self.assertEqual(self.admitted(policy, *["192.0.2.1"] * 1000, now=1.0), 50)
        self.assertEqual(self.admitted(policy, *["127.0.0.1", "::1", None] * 1000), 3000)

    def test_rateHoldsForLoopback(self) -> None:
        """
        A rate that is named holds for this host too.
        """
        self.assertEqual(self.admitted(Policy(maxRate=5), *["127.0.0.1"] * 100), 10)

    def test_releaseDoesNotRefillTheRate(self) -> None:
        """
        Who comes and goes is limited as well.
        """
        policy = Policy(maxRate=5)
        admitted = 0
        for _ in range(100):
            if self.census.admit("192.0.2.1", policy, 0.0):
                admitted += 1
                self.census.release("192.0.2.1")
        self.assertEqual((admitted, self.census.connections), (10, 0))

    def test_boundedMemory(self) -> None:
        """
        Of the sources that came and went, the last 4096 are remembered.
        """
        policy = Policy(maxRate=1, maxPerSource=1)

        def visited(number: int) -> bool:
            host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            admitted = self.census.admit(host, policy, 0.0)
            if admitted:
                self.census.release(host)
            return admitted

        for number in range(2 * MOST):
            self.assertTrue(visited(number) and visited(number))
        self.assertEqual(sum([not visited(number) for number in reversed(range(2 * MOST))]), MOST)

    def test_goneIsForgotten(self) -> None:
        """
        Who has gone takes up no memory: the census is as it was, to the last byte.
        """
        before = pickle.dumps(self.census)
        for number in range(1000):
            host = f"2001:db8:{number:x}::1"
            self.assertTrue(self.census.admit(host, FREE, 0.0))
            self.assertNotEqual(pickle.dumps(self.census), before)
            self.census.release(host)
        self.assertEqual(pickle.dumps(self.census), before)

    def test_release(self) -> None:
        """
        A place is free again at once, in all and for the source.
        """
        policy = Policy(maxConnections=2, maxPerSource=1, maxRate=0)
        self.assertEqual(self.admitted(policy, "192.0.2.1", "192.0.2.1", None, "192.0.2.2"), 2)
        self.census.release("192.0.2.1")
        self.assertEqual(self.admitted(policy, "192.0.2.1", "192.0.2.2"), 1)
        self.census.release(None)
        self.assertEqual(self.admitted(policy, "192.0.2.1", "192.0.2.2"), 1)

    def test_refusalsCountForNothing(self) -> None:
        """
        Who was refused for one reason has not used up another limit.
        """
        full = Policy(maxConnections=1, maxPerSource=0, maxRate=1)
        self.assertEqual(self.admitted(full, None, *["192.0.2.1"] * 100), 1)
        self.census.release(None)
        self.assertEqual(self.admitted(full, "192.0.2.1"), 1)
        crowded = Policy(maxPerSource=1, maxRate=1)
        self.assertEqual(self.admitted(crowded, *["192.0.2.1"] * 100), 0)
        self.census.release("192.0.2.1")
        self.assertEqual(self.admitted(crowded, "192.0.2.1"), 1)

    def test_noAddress(self) -> None:
        """
        What is no address, as a wrapped transport may have it, is a source like any other.
        """
        policy = Policy(maxPerSource=1)
        admitted = [self.census.admit("localhost", policy, 0.0) for _ in range(2)]
        self.assertEqual(admitted, [True, False])
        self.census.release("localhost")
        self.assertEqual(self.census.connections, 0)

    @settings(deadline=None)
    @given(
        most=st.integers(0, 8),
        each=st.integers(0, 4),
        steps=st.lists(
            st.tuples(
                st.booleans(),
                st.sampled_from(
                    ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "::1", None]
                ),
            ),
            max_size=60,
        ),
    )
    def test_anySequence(self, most: int, each: int, steps: list[tuple[bool, str | None]]) -> None:
        """
        Whoever comes and goes, in whatever order: admitted is who has a place in all and in its source, and when all
        have gone, all places are free.
        """
        census = Census()
        policy = Policy(maxConnections=most, maxPerSource=each, maxRate=0)
        source = {"::ffff:192.0.2.1": "192.0.2.1", "2001:db8::2": "2001:db8::1"}
        here: list[str | None] = []
        for comes, host in steps:
            if comes:
                count = Counter(source.get(other or "", other) for other in here)
                place = not most or len(here) < most
                share = host is None or not each or count[source.get(host, host)] < each
                self.assertEqual(census.admit(host, policy, 0.0), place and share)
                if place and share:
                    here.append(host)
            elif host in here:
                here.remove(host)
                census.release(host)
            self.assertEqual(census.connections, len(here))
        for host in here:
            census.release(host)
        self.assertEqual(census.connections, 0)
        for host in ("192.0.2.1", "2001:db8::1", "::1"):
            self.assertTrue(census.admit(host, Policy(maxPerSource=1, maxRate=0), 0.0))


class MayReplyTests(SynchronousTestCase):
    """
    Tests for L{Census.mayReply}.
    """

    def replies(self, census: Census, policy: Policy, host: str, now: float = 0.0) -> int:
        """
        How many of 1000 datagrams may be answered.
        """
        return sum([census.mayReply(host, policy, now) for _ in range(1000)])

    def test_udpRate(self) -> None:
        """
        A source has a burst of replies, then so many a second; the next source has its own.
        """
        census = Census()
        policy = Policy(udpRate=5)
        self.assertEqual(self.replies(census, policy, "192.0.2.1"), 10)
        self.assertEqual(self.replies(census, policy, "192.0.2.1", 1.0), 5)
        self.assertEqual(self.replies(census, policy, "192.0.2.2", 1.0), 10)

    def test_default(self) -> None:
        """
        By default there are 20 a second for one source, any number for this host itself.
        """
        census = Census()
        self.assertEqual(self.replies(census, Policy(), "192.0.2.1"), 40)
        self.assertEqual(self.replies(census, Policy(), "192.0.2.1", 1.0), 20)
        for host in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
            self.assertEqual(self.replies(census, Policy(), host), 1000, host)

    def test_numberHoldsForLoopback(self) -> None:
        """
        A rate that is named holds for this host too.
        """
        self.assertEqual(self.replies(Census(), Policy(udpRate=5), "127.0.0.1"), 10)

    def test_off(self) -> None:
        """
        A rate of 0 is no limit.
        """
        self.assertEqual(self.replies(Census(), FREE, "192.0.2.1"), 1000)

    def test_slash64(self) -> None:
        """
        A v6 customer has one source's share, and so has a v4 address in both its forms.
        """
        census = Census()
        policy = Policy(udpRate=5)
        self.assertEqual(self.replies(census, policy, "2001:db8::1"), 10)
        self.assertEqual(self.replies(census, policy, "2001:db8::2"), 0)
        self.assertEqual(self.replies(census, policy, "192.0.2.1"), 10)
        self.assertEqual(self.replies(census, policy, "::ffff:192.0.2.1"), 0)

    def test_apartFromConnections(self) -> None:
        """
        Replies to datagrams and new connections do not use up each other's rate.
        """
        census = Census()
        policy = Policy(udpRate=5, maxRate=5, maxPerSource=0)
        self.assertEqual(self.replies(census, policy, "192.0.2.1"), 10)
        self.assertTrue(census.admit("192.0.2.1", policy, 0.0))


class CountsTests(SynchronousTestCase):
    """
    Tests for what else a L{Census} counts.
    """

    def test_serial(self) -> None:
        """
        Conversations are numbered from 1; another server begins anew.
        """
        census = Census()
        self.assertEqual([census.serial() for _ in range(3)], [1, 2, 3])
        self.assertEqual(Census().serial(), 1)

    def test_nothingYet(self) -> None:
        """
        A census begins with nobody, and no outcome that has not happened.
        """
        census = Census()
        self.assertEqual((census.connections, census.outcomes, census.udpPorts), (0, {}, {}))
        self.assertEqual(census.outcomes[Outcome.DONE], 0)

    def test_environment(self) -> None:
        """
        All conversations of a server have one environment.
        """
        environment = Environment(server="here")
        self.assertIs(Census(environment).environment, environment)
        self.assertTrue(Census().environment.server)

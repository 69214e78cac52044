"""
What every service promises, whoever wrote it: the tests that run over all of the registry.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.registry import find, names
from sockservices.testing import ResponderContract
from sockservices.testing.memory_exchange import NOW, conversation, datagramReply, streamReplies

__all__ = ["NOW", "Contract", "contracts", "conversation", "datagramReply", "streamReplies"]

#: Each test is shared by the cases of all services: that is what is meant here.
ANYTHING = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.differing_executors])


class Contract(ResponderContract, SynchronousTestCase):
    """
    The tests of one service. L{contracts} makes a case of them for each.
    """

    def test_nobodyElsesNameAndPort(self) -> None:
        """
        No other service has its name, or its port.
        """
        every = [find(name) for name in names()]
        self.assertEqual([other for other in every if other.name == self.responder.name], [self.responder])
        self.assertEqual([other for other in every if other.port == self.responder.port], [self.responder])

    @ANYTHING
    @given(segments=st.lists(st.binary(min_size=1, max_size=2000), max_size=20))
    def test_anyCuttingOfAnything(self, segments: list[bytes]) -> None:
        """
        However any message is cut, the same is said, if the message is declared to be bytes.
        """
        self.assertSameHoweverCut(segments)

    @ANYTHING
    @given(message=st.binary(min_size=1, max_size=2000))
    def test_datagramsSayTheSameToAnything(self, message: bytes) -> None:
        """
        Any datagram is answered in the words that a stream would say to it, or with the beginning of the talk.
        """
        self.assertSameOnDatagrams(message)

    @ANYTHING
    @given(message=st.binary(max_size=600))
    def test_limitOfAnything(self, message: bytes) -> None:
        """
        A reply to anything fits the limit, or is as long as without one.
        """
        self.assertWithinLimit(message)

    @ANYTHING
    @given(ours=st.lists(st.binary(min_size=1), max_size=5), theirs=st.lists(st.binary(min_size=1), max_size=5))
    def test_nothingSharedOfAnything(self, ours: list[bytes], theirs: list[bytes]) -> None:
        """
        Of any two conversations that go on at the same time, each goes as it would alone.
        """
        self.assertNothingShared(ours, theirs)


def contracts(module: str) -> dict[str, type[Contract]]:
    """
    A test case for each service, by its name.

    @param module: where they are to be collected.
    """
    cases = {}
    for service in names():
        name = f"{service.title().replace('-', '')}ContractTests"
        body = {"__module__": module, "__doc__": f"What C{{{service}}} promises.", "responder": find(service)}
        cases[name] = type(name, (Contract,), body)
    return cases

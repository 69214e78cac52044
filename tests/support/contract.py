"""
The contract of responders, with random inputs from hypothesis, for each service in the registry.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.registry import find, names
from sockservices.testing import ResponderContract
from sockservices.testing.memory_exchange import NOW, conversation

__all__ = ["NOW", "Contract", "contracts", "conversation"]

#: Hypothesis expects one executor for each test, but the test cases of all services share these tests.
RANDOM_INPUT = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.differing_executors])


class Contract(ResponderContract, SynchronousTestCase):
    """
    The tests of one service. L{contracts} makes a subclass for each service.
    """

    def test_uniqueNameAndPort(self) -> None:
        """
        No other service has the same name or port.
        """
        services = [find(name) for name in names()]
        self.assertEqual([other for other in services if other.name == self.responder.name], [self.responder])
        self.assertEqual([other for other in services if other.port == self.responder.port], [self.responder])

    @RANDOM_INPUT
    @given(segments=st.lists(st.binary(min_size=1, max_size=2000), max_size=20))
    def test_segmentationOfRandomInput(self, segments: list[bytes]) -> None:
        """
        The output does not depend on the segmentation of the input.
        """
        self.assertSameHoweverCut(segments)

    @RANDOM_INPUT
    @given(message=st.binary(min_size=1, max_size=2000))
    def test_sameReplyOnDatagramsToRandomInput(self, message: bytes) -> None:
        """
        The reply to a datagram is the reply to the same bytes on a stream, or the beginning of endless output.
        """
        self.assertSameOnDatagrams(message)

    @RANDOM_INPUT
    @given(message=st.binary(max_size=600))
    def test_replyLimitForRandomInput(self, message: bytes) -> None:
        """
        A reply is not longer than its limit, or is the whole reply, which the server then withholds.
        """
        self.assertWithinLimit(message)

    @RANDOM_INPUT
    @given(ours=st.lists(st.binary(min_size=1), max_size=5), theirs=st.lists(st.binary(min_size=1), max_size=5))
    def test_independentConversationsWithRandomInput(self, ours: list[bytes], theirs: list[bytes]) -> None:
        """
        Two concurrent conversations have the same replies as each one alone.
        """
        self.assertNothingShared(ours, theirs)


def contracts(module: str) -> dict[str, type[Contract]]:
    """
    Make a test case for each service.

    @param module: the name of the module that collects them.
    @return: the test cases by their names.
    """
    cases = {}
    for service in names():
        name = f"{service.title().replace('-', '')}ContractTests"
        body = {"__module__": module, "__doc__": f"The contract, for C{{{service}}}.", "responder": find(service)}
        cases[name] = type(name, (Contract,), body)
    return cases

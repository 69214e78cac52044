"""
What is no list of faults, given to any of those that take faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.internet.task import Clock

from sockservices.faults import FaultyDatagrams, FaultyFactory, Loss
from sockservices.fixture import Servers
from sockservices.responders import Echo
from sockservices.testing import converse

LIST = "expected a list of faults, such as [Latency(0.1)]"
FAULT = "expected a fault, such as Latency(0.1)"

#: Wrong lists, and their errors.
WRONG: list[tuple[Any, str]] = [
    (Loss(0.3), f"loss,rate=0.3: {LIST}"),
    ("loss,rate=0.3", f"'loss,rate=0.3': {LIST}"),
    (7, f"7: {LIST}"),
    ([Loss], f"the class Loss: {FAULT}"),
    (["loss,rate=0.3"], f"'loss,rate=0.3': {FAULT}"),
]

#: What takes faults.
TAKERS: tuple[Callable[..., object], ...] = (
    partial(FaultyFactory, Factory(), clock=Clock()),
    partial(FaultyDatagrams, DatagramProtocol(), clock=Clock()),
    lambda faults: converse(Echo, transport="udp", faults=faults),
)


@pytest.mark.parametrize(("faults", "message"), WRONG)
def test_noListOfFaults(faults: Any, message: str, sockservice: Servers) -> None:
    """
    What is no list of faults is an error of the call, which shows the argument.
    """

    def setFaults(faults: Any) -> None:
        server.faults = faults

    server = sockservice("echo", "udp")
    takers: Iterable[Callable[..., object]] = (*TAKERS, partial(sockservice, "echo", "udp"), setFaults)
    for take in takers:
        with pytest.raises(TypeError) as raised:
            take(faults=faults)
        assert str(raised.value) == message
    assert server.faults == ()


def test_seedWithoutFaults() -> None:
    """
    A seed without faults is an error, because it has no effect. An empty list of faults is explicit.
    """
    with pytest.raises(ValueError, match=r"^seed=7: expected faults as well$"):
        converse(Echo, seed=7)
    assert converse(Echo, faults=[], seed=7).say(b"hello") == b"hello"

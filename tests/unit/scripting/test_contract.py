"""
The contract of responders, for each service of this package as a coroutine.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sockservices.registry import find, names
from sockservices.testing import ResponderContract, converse
from tests.support.coroutines import COROUTINES


class SameServiceTests(SynchronousTestCase):
    """
    The coroutines behave as the services.
    """

    def test_everyService(self) -> None:
        """
        Each service of the package has a coroutine, which sends the same on each transport.
        """
        self.assertEqual(sorted(COROUTINES), names())
        for name, coroutine in COROUTINES.items():
            if name == "chargen":
                continue
            for transport in ("tcp", "unix", "udp", "unixgram"):
                peers: list[Any] = [converse(make, transport=transport) for make in (find(name), coroutine)]
                said = [peer.say(b"1\r\n" + bytes(150)) if peer.outcome is None else None for peer in peers]
                with self.subTest(name=name, transport=transport):
                    self.assertEqual(*said)
                    self.assertEqual(*[(peer.heard, peer.outcome) for peer in peers])


def _contracts() -> dict[str, type]:
    return {
        f"{name.title()}CoroutineTests": type(
            f"{name.title()}CoroutineTests",
            (ResponderContract, SynchronousTestCase),
            {
                "__module__": __name__,
                "__doc__": f"The contract, for C{{{name}}} as a coroutine.",
                "responder": staticmethod(coroutine),
            },
        )
        for name, coroutine in COROUTINES.items()
    }


globals().update(_contracts())

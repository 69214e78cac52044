"""
Fixtures for all tests under pytest.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted

#: The modules that run pytest within a test: those of the plugin.
pytest_plugins = ["pytester"]

# A shell starts background processes with SIGINT ignored, and the processes that tests start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _inUse() -> set[Any]:
    """
    List the timers and sockets of the reactor, without those that wake it.
    """
    # Imported here, since pytest-twisted chooses the reactor after this file is read.
    from twisted.internet import reactor

    live: Any = reactor
    return {*live.getDelayedCalls(), *live.getReaders(), *live.getWriters()}.difference(live._internalReaders)


@pytest.fixture(autouse=True)
def cleanReactor() -> Iterator[None]:
    """
    A test leaves nothing in the reactor.
    """
    if "twisted.internet.reactor" not in sys.modules:
        yield
        return
    from twisted.internet import reactor, task

    before = _inUse()
    yield
    # The reactor reports a closed connection to its other end in one of the next turns.
    for _ in range(50):
        if _inUse() <= before:
            return
        pytest_twisted.blockon(task.deferLater(reactor, 0, lambda: None))
    assert _inUse() <= before, "left in the reactor"

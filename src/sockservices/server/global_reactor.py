"""
The reactor of a server process.
"""

from __future__ import annotations

import time
from typing import Any

__all__ = ["globalReactor"]


def globalReactor() -> Any:
    """
    The reactor of this process, before its first timer, with a clock that cannot be set.
    """
    from twisted.internet import reactor

    reactor.seconds = time.monotonic  # type: ignore[method-assign]
    return reactor

"""
The time, random numbers and machine that responders use. Tests replace them.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from sockservices.conversation.utmp import activeUsers

__all__ = ["Environment", "World"]


@dataclass(frozen=True)
class Environment:
    """
    The time, random numbers and machine that responders use.

    @ivar server: the name of this server, by default the host's name.
    @ivar now: the time in seconds since 1970-01-01 00:00 UTC, by the wall clock.
    @ivar random: the source of random numbers.
    @ivar users: the names of the active users, one for each of their sessions.
    """

    server: str = field(default_factory=socket.gethostname)
    now: Callable[[], float] = time.time
    random: Random = field(default_factory=Random)
    users: Callable[[], list[str]] = activeUsers


#: The name of L{Environment} in the first version.
World = Environment

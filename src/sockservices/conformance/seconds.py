"""
How long a check waits, and how fast it asks.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Seconds"]


@dataclass(frozen=True)
class Seconds:
    """
    How long a check waits, and how fast it asks, in seconds.

    @ivar answer: to wait for a connection, for a reply, and for an answer to go on.
    @ivar silence: that C{welcome} bears with a peer that says nothing.
    @ivar connections: from one connection to the next: a server may refuse more than 50 a second, or switch off what is
        asked for so often.
    @ivar datagrams: from one datagram to the next: a server may answer 20 a second.
    """

    answer: float = 2.0
    silence: float = 5.0
    connections: float = 0.025
    datagrams: float = 0.1

    @property
    def quiet(self) -> float:
        """
        In which nothing is to come: short, since every good server costs it.
        """
        return self.answer / 4

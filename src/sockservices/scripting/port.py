"""
What an exchange needs of a connection.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Port"]


class Port(Protocol):
    """
    What an exchange does with a connection.
    """

    @property
    def writingPaused(self) -> bool:
        """
        Whether 64 KiB wait to be sent.
        """

    def write(self, data: bytes) -> None:
        """
        Send bytes.
        """

    def pauseReading(self) -> None:
        """
        Stop reading.
        """

    def resumeReading(self) -> None:
        """
        Read on.
        """

    def halfClose(self) -> None:
        """
        Send a FIN after the bytes that wait, if the transport can.
        """

    def follow(self) -> None:
        """
        Act on what has changed in the exchange.
        """

    def logException(self, exception: BaseException) -> None:
        """
        Log what a coroutine has raised after its conversation.
        """

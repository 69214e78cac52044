"""
The methods with which a connection asks for its events.
"""

from __future__ import annotations

from sockservices.transports.poll_group import PollGroup

__all__ = ["GroupMember"]


class GroupMember:
    """
    A mixin of L{Connection<sockservices.transports.connection.Connection>}: the poll group, not the reactor, watches
    the descriptor.
    """

    _group: PollGroup

    def startReading(self) -> None:
        """
        Start watching for input.
        """
        self._group.addReader(self)

    def stopReading(self) -> None:
        """
        Stop watching for input.
        """
        self._group.removeReader(self)

    def pauseProducing(self) -> None:
        """
        Stop reading. A reset still ends the connection.
        """
        self._group.pauseReader(self)

    def startWriting(self) -> None:
        """
        Start watching for space in the send buffer.
        """
        self._group.addWriter(self)

    def stopWriting(self) -> None:
        """
        Stop watching for space in the send buffer.
        """
        self._group.removeWriter(self)

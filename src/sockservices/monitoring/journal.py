"""
The journal: every segment and datagram that a server has received and sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, overload

from sockservices.text.addresses import addressText
from sockservices.transports.datagram_layer import DatagramLayer, LayerRoute, MakeDatagramLayer
from sockservices.transports.layered_factory import MakeStreamLayer
from sockservices.transports.reply_route import peerAddress
from sockservices.transports.stream_layer import StreamLayer

__all__ = ["DatagramJournal", "Journal", "JournalEntry", "JournalWriter", "StreamJournal", "layersWithJournal"]

#: The most bytes of data that a journal keeps, and the most entries.
MAX_BYTES, MAX_ENTRIES = 4 * 2**20, 50_000


class JournalEntry(NamedTuple):
    """
    A segment or a datagram.

    @ivar time: seconds since 1970-01-01 00:00 UTC, by a clock that never goes back.
    @ivar direction: C{"in"} from the peer, or C{"out"} to the peer.
    @ivar conversation: the number of the connection, or of the datagram with its reply, in the order in which they
        began: 1 is the first one.
    @ivar peer: the peer's address as text.
    @ivar data: what was read at once, or written at once; or a whole datagram.
    """

    time: float
    direction: str
    conversation: int
    peer: str
    data: bytes


class JournalWriter(Protocol):
    """
    What the layers write to.
    """

    def begin(self) -> int:
        """
        A conversation begins.

        @return: its number.
        """

    def add(self, direction: str, conversation: int, peer: str, data: bytes) -> None:
        """
        A segment or datagram was received or sent.
        """


class Journal(Sequence[JournalEntry]):
    """
    The first entries, up to 4 MiB of data.

    @ivar leftOut: the number of entries that were left out after them.
    @ivar leftOutBytes: the number of their bytes.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        """
        @param seconds: a clock that never goes back, in seconds.
        @param now: the time in seconds since 1970.
        """
        self._seconds = seconds
        self._startedAt = now() - seconds()
        self._entries: list[JournalEntry] = []
        self._bytes = self._conversations = 0
        self.leftOut = self.leftOutBytes = 0

    def begin(self) -> int:
        """
        A conversation begins.

        @return: its number.
        """
        self._conversations += 1
        return self._conversations

    def add(self, direction: str, conversation: int, peer: str, data: bytes) -> None:
        """
        Add an entry, or count it as left out.
        """
        if self.leftOut or self._bytes + len(data) > MAX_BYTES or len(self._entries) >= MAX_ENTRIES:
            self.leftOut += 1
            self.leftOutBytes += len(data)
        else:
            self._bytes += len(data)
            at = self._startedAt + self._seconds()
            self._entries.append(JournalEntry(at, direction, conversation, peer, bytes(data)))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[JournalEntry]:
        return iter(tuple(self._entries))

    @overload
    def __getitem__(self, index: int) -> JournalEntry: ...

    @overload
    def __getitem__(self, index: slice) -> list[JournalEntry]: ...

    def __getitem__(self, index: int | slice) -> JournalEntry | list[JournalEntry]:
        return self._entries[index]

    def __repr__(self) -> str:
        """
        List the entries, one a line, and what was left out.
        """
        start = self._entries[0].time if self._entries else 0.0
        lines = [
            f"{entry.time - start:.3f} s, conversation {entry.conversation}, {entry.direction}: {entry.data!r}"
            for entry in self
        ]
        if self.leftOut:
            lines.append(f"{self.leftOut} more with {self.leftOutBytes} bytes left out")
        return "\n".join(lines) or "no entries"


class StreamJournal(StreamLayer):
    """
    Writes the segments of a connection to a journal.
    """

    def __init__(self, protocol: Any, journal: JournalWriter) -> None:
        super().__init__(protocol)
        self._journal = journal
        self._number = journal.begin()

    def _add(self, direction: str, data: bytes) -> None:
        self._journal.add(direction, self._number, addressText(self.getPeer()) or "-", data)

    def dataReceived(self, data: bytes) -> None:
        """
        Add a segment of the peer's.
        """
        self._add("in", data)
        super().dataReceived(data)

    def write(self, data: bytes) -> None:
        """
        Add a segment for the peer.
        """
        self._add("out", data)
        super().write(data)


class _NumberedRoute(LayerRoute):
    """
    The route of one datagram.
    """

    __slots__ = ("number",)

    number: int

    def send(self, datagram: bytes, token: object) -> None:
        """
        Add a reply.
        """
        layer: Any = self._layer
        layer.addReply(self, datagram)
        super().send(datagram, token)


class DatagramJournal(DatagramLayer):
    """
    Writes the datagrams of a port to a journal.
    """

    def __init__(self, protocol: Any, journal: JournalWriter) -> None:
        super().__init__(protocol)
        self._journal = journal

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Add a request.
        """
        numbered = _NumberedRoute(self, route)
        numbered.number = self._journal.begin()
        self._journal.add("in", numbered.number, addressText(peerAddress(route.peer)) or "-", datagram)
        self.protocol.requestReceived(datagram, numbered)

    def addReply(self, route: Any, datagram: bytes) -> None:
        """
        Add a reply.
        """
        self._journal.add("out", route.number, addressText(peerAddress(route.peer)) or "-", datagram)


def layersWithJournal(
    journal: JournalWriter, streams: Sequence[MakeStreamLayer], datagrams: Sequence[MakeDatagramLayer]
) -> tuple[list[Any], list[Any]]:
    """
    Put a journal next to the transport, before the other layers of a listener.

    @return: the layers of connections, and those of datagrams.
    """
    return [partial(StreamJournal, journal=journal), *streams], [partial(DatagramJournal, journal=journal), *datagrams]

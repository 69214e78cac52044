"""
A server process that stays alive, leaks no descriptor and has bounded memory while a test loads it.
"""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.twistd import Twistd

__all__ = ["Probe", "Watched", "exchange", "readToEnd", "sender"]

#: Seconds between two round trips of a L{Probe}.
PROBE_INTERVAL = 0.005


class Watched(Twistd):
    """
    A server on loopback. Its descriptors and its memory are measured before and after the test's body.

    @ivar growth: the maximum growth of its resident memory at the end, in bytes.
    """

    def __init__(self, *arguments: str, growth: int = 8 << 20, cwd: Path | None = None) -> None:
        super().__init__(*arguments, cwd=cwd)
        self.growth = growth

    def __enter__(self) -> Self:
        """
        Take the first measurements.
        """
        super().__enter__()
        self.descriptors = self._descriptors()
        self.memory = self.resident()
        return self

    def _descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def resident(self) -> int:
        """
        The server's resident memory, in bytes.
        """
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096

    def waitForCount(self, text: str, count: int, seconds: float) -> None:
        """
        Wait until the log contains a text so many times.
        """
        with self._news:
            found = self._news.wait_for(lambda: self.log.count(text) >= count, seconds)
        assert found, f"{text!r} only {self.log.count(text)} times, not {count}, in the log:\n{self.log}"

    def cpu(self) -> float:
        """
        The processor time that the server has used, in seconds.
        """
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """
        Compare the measurements.
        """
        opened = grown = 0
        if error is None and self.status is None:
            # The server may not have closed these connections yet.
            until = time.monotonic() + 5
            while self._descriptors() > self.descriptors + 2 and time.monotonic() < until:
                time.sleep(0.05)
            opened, grown = self._descriptors(), self.resident() - self.memory
        super().__exit__(kind, error, at)
        if error is None:
            assert opened <= self.descriptors + 2, f"{opened} descriptors, {self.descriptors} at first"
            assert grown < self.growth, f"{grown >> 10} KiB more memory"


class Probe:
    """
    A well-behaved client that measures the round trips to an echo service, up to 200 per second: a test of a second or
    two needs so many that a share of 99 % leaves out one pause of the machine.

    @ivar times: the seconds that each round trip took.
    @ivar delays: the seconds that each timer of the client was late, because other processes used the processor.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self.times: list[float] = []
        self.delays: list[float] = []
        self._client = socket.create_connection(address, 5)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        dueAt = time.monotonic() + PROBE_INTERVAL
        while not self._ended.wait(PROBE_INTERVAL):
            startedAt = time.monotonic()
            self._client.sendall(b"probe")
            assert self._client.recv(64) == b"probe"
            endedAt = time.monotonic()
            self.times.append(endedAt - startedAt)
            self.delays.append(startedAt - dueAt)
            dueAt = endedAt + PROBE_INTERVAL

    def worst(self, share: float = 0.99) -> float:
        """
        The duration within which this share of the round trips was completed, in seconds. In a round trip both
        processes wait for the processor, so that twice the delay of a timer is not the server's.
        """
        index = int(len(self.times) * share)
        return sorted(self.times)[index] - 2 * sorted(self.delays)[index]

    def __enter__(self) -> Self:
        """
        Start the round trips.
        """
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """
        Stop the round trips.
        """
        self._ended.set()
        self._thread.join()
        self._client.close()


def exchange(client: socket.socket) -> None:
    """
    Send one byte, and receive its echo.
    """
    client.sendall(b"a")
    assert client.recv(100) == b"a"


def readToEnd(client: socket.socket) -> bytes:
    """
    All that a client receives until the connection ends.
    """
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def sender(client: socket.socket, sent: bytes) -> threading.Thread:
    """
    Start a thread that sends and then closes its side of the connection.
    """

    def send() -> None:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    return thread

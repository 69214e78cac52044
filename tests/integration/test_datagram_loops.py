"""
Two servers on Unix datagrams. A third program forges sources, so that the servers answer each other.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from sockservices import Census, Outcome, datagramService
from sockservices.responders import Echo
from tests.support.loop import TIMEOUT, LoopCase


def replaceBySymlink(forged: Path, target: Path) -> None:
    """
    Make a path a symbolic link to a server's socket.
    """
    forged.unlink()
    forged.symlink_to(target)


def replaceByHardLink(forged: Path, target: Path) -> None:
    """
    Make a path a hard link to a server's socket.
    """
    forged.unlink()
    forged.hardlink_to(target)


def replaceFolder(forged: Path, target: Path) -> None:
    """
    Make the path of a folder a symbolic link to the folder of a server's socket.
    """
    forged.unlink()
    forged.parent.rmdir()
    forged.parent.symlink_to(target.parent)


class LoopTests(LoopCase):
    """
    Tests that an exchange of two servers ends.
    """

    def serve(self, name: str) -> tuple[Census, Path]:
        """
        Serve echo on a Unix datagram socket in a folder of its own.
        """
        census, path = Census(), self.folder / name / "socket"
        path.parent.mkdir()
        service = datagramService(f"unixgram:{path}", Echo, reactor=self.reactor, census=census)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        return census, path

    def exchanged(self, replace: Callable[[Path, Path], None]) -> list[int]:
        """
        Send ten datagrams to one server, and replace the file of their source.

        @return: for each of two servers the number of datagrams that it answered, when both are quiet.
        """
        censuses, (first, second) = zip(*(self.serve(name) for name in ("first", "second")), strict=True)
        forged = self.folder / "forged" / "socket"
        forged.parent.mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind(str(forged))
            for _ in range(10):
                client.sendto(b"again and again", str(first))
        replace(forged, second)
        self.startedAt = time.monotonic()
        seen, quiet = [0, 0], 0
        while quiet < 10:
            self.assertLess(time.monotonic(), self.startedAt + TIMEOUT, "the exchange has not ended")
            self.turn()
            before, seen = seen, [census.outcomes.total() for census in censuses]
            quiet = quiet + 1 if seen == before else 0
        return [census.outcomes[Outcome.DONE] for census in censuses]

    def test_replacedSource(self) -> None:
        """
        The server does not answer a source whose path has been replaced since bind(2).
        """
        for replace in (replaceBySymlink, replaceByHardLink):
            with self.subTest(replace.__name__):
                self.folder = self.folder / replace.__name__
                self.folder.mkdir()
                self.assertEqual(self.exchanged(replace), [0, 0])

    def test_rate(self) -> None:
        """
        If the folder of the source has been replaced, each server sends a burst of replies, and the exchange ends.
        """
        for count in self.exchanged(replaceFolder):
            self.assertGreater(count, 5000)
            self.assertLess(count, 10_000 + 20 * (time.monotonic() - self.startedAt) + 10)

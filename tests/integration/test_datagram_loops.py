"""
Two servers on Unix datagrams that a third program makes answer each other.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from sockservices import Census, Outcome, datagramService
from sockservices.responders import Echo
from tests.support.loop import PATIENCE, LoopCase


def replaceBySymlink(forged: Path, target: Path) -> None:
    """
    Have a path lead to a server's socket.
    """
    forged.unlink()
    forged.symlink_to(target)


def replaceByHardLink(forged: Path, target: Path) -> None:
    """
    Give a server's socket a second name.
    """
    forged.unlink()
    forged.hardlink_to(target)


def replaceFolder(forged: Path, target: Path) -> None:
    """
    Have the path of a folder lead to the folder of a server's socket.
    """
    forged.unlink()
    forged.parent.rmdir()
    forged.parent.symlink_to(target.parent)


class LoopTests(LoopCase):
    """
    Tests that no exchange of two servers goes on for ever.
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
        self.began = time.monotonic()
        seen, quiet = [0, 0], 0
        while quiet < 10:
            self.assertLess(time.monotonic(), self.began + PATIENCE, "the exchange goes on")
            self.turn()
            before, seen = seen, [census.outcomes.total() for census in censuses]
            quiet = quiet + 1 if seen == before else 0
        return [census.outcomes[Outcome.DONE] for census in censuses]

    def test_replacedSource(self) -> None:
        """
        A source that is no longer the socket that bind(2) has made is not answered.
        """
        for replace in (replaceBySymlink, replaceByHardLink):
            with self.subTest(replace.__name__):
                self.folder = self.folder / replace.__name__
                self.folder.mkdir()
                self.assertEqual(self.exchanged(replace), [0, 0])

    def test_rate(self) -> None:
        """
        Where the source's file tells nothing, each server sends the other a burst, and then the exchange has ended.
        """
        for count in self.exchanged(replaceFolder):
            self.assertGreater(count, 5000)
            self.assertLess(count, 10_000 + 20 * (time.monotonic() - self.began) + 10)

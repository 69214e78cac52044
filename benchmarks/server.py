"""
A server that is measured.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from benchmarks.peers import Peer
from benchmarks.processes import pinned

__all__ = ["RunError", "Server"]

ROOT = Path(__file__).parent.parent

#: Seconds in which a server must be ready; some are compiled first.
PATIENCE = 60.0


class RunError(Exception):
    """
    A run came to nothing; why, in one line.
    """


class Server:
    """
    A context manager: in its body a server is ready. After it, the server and all that it started are gone.
    """

    def __init__(self, peer: Peer, service: str, folder: Path, core: int | None) -> None:
        self._log = folder / f"{peer.name}.log"
        paths = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with pinned(core), self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.peers", peer.name, service, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                cwd=ROOT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def lastWords(self) -> str:
        """
        The last line that it has said.
        """
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing said"

    def __enter__(self) -> Self:
        """
        Wait until it says its port.
        """
        try:
            self.port = self._port(time.monotonic() + PATIENCE)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _port(self, end: float) -> int:
        while not (said := re.search(r"^PORT (\d+)$", self._log.read_text(errors="replace"), re.MULTILINE)):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > end:
                reason = f"the server ended: {self.lastWords}" if ended else "the server was not ready in time"
                raise RunError(reason)
            time.sleep(0.01)
        return int(said[1])

    def __exit__(self, *_: object) -> None:
        """
        End it.
        """
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

"""
Starts and stops a server to be measured.
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
from benchmarks.processes import pinnedTo, processesWithoutChild

__all__ = ["RunError", "Server"]

ROOT = Path(__file__).parent.parent

#: Seconds in which a server must listen. Some are compiled first.
START_TIMEOUT = 60.0

#: Seconds from then on in which its worker processes must exist.
WORKERS_TIMEOUT = 5.0


class RunError(Exception):
    """
    A run failed. The text is the reason, in one line.
    """


class Server:
    """
    A server process, as a context manager: it listens inside the C{with} block. After it, its process group is killed.

    @ivar pid: the process id.
    @ivar port: the port on which it listens.
    """

    def __init__(self, peer: Peer, service: str, folder: Path, core: int | None, workers: int = 1) -> None:
        self._log = folder / f"{peer.name}.log"
        paths = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with pinnedTo(core), self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.peers", peer.name, service, str(folder), str(workers)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                cwd=ROOT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def lastOutput(self) -> str:
        """
        The last line of its output.
        """
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no output"

    def __enter__(self) -> Self:
        """
        Wait until the server reports its port.
        """
        try:
            self.port = self._port(time.monotonic() + START_TIMEOUT)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _port(self, deadline: float) -> int:
        while not (match := re.search(r"^PORT (\d+)$", self._log.read_text(errors="replace"), re.MULTILINE)):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                reason = (
                    f"the server ended: {self.lastOutput}"
                    if ended
                    else f"the server did not listen within {START_TIMEOUT:g} s"
                )
                raise RunError(reason)
            time.sleep(0.01)
        return int(match[1])

    def workers(self, count: int) -> list[int]:
        """
        Wait for the worker processes. Some servers listen before they start them.

        @return: the ids of the processes without a child.
        @raise RunError: if there are not C{count} of them in time.
        """
        deadline = time.monotonic() + WORKERS_TIMEOUT
        while len(workers := processesWithoutChild(self.pid)) != count:
            if time.monotonic() > deadline:
                raise RunError(f"{len(workers)} worker processes after {WORKERS_TIMEOUT:g} s, expected {count}")
            time.sleep(0.01)
        return workers

    def __exit__(self, *_: object) -> None:
        """
        Kill the process group.
        """
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

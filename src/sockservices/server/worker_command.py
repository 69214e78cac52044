"""
The command line of a worker.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from subprocess import DEVNULL, PIPE, STDOUT, TimeoutExpired, run
from typing import Any

__all__ = ["CHECK", "tryWorker", "workerCommand"]

#: The first argument of a worker that reads its options and exits.
CHECK = "check"

#: Seconds in which it exits.
CHECK_TIMEOUT = 30.0


def workerCommand(first: str, options: Iterable[str]) -> list[str]:
    """
    The command line.

    @param first: the settings of the worker, or L{CHECK}.
    @param options: the options of the server.
    """
    # Without -P, Python would import from the working directory; without -u, the lines that a service prints would wait
    # in a buffer.
    return [sys.executable, "-P", "-u", "-m", "sockservices.workers", first, *options]


def tryWorker(options: Iterable[str]) -> None:
    """
    Start a worker that reads its options and exits.

    @raise ValueError: with the last line of its output, if it fails.
    """
    streams: dict[str, Any] = {"stdin": DEVNULL, "stdout": PIPE, "stderr": STDOUT, "errors": "backslashreplace"}
    try:
        ended = run(workerCommand(CHECK, options), timeout=CHECK_TIMEOUT, check=False, **streams)
    except OSError as error:
        raise ValueError(f"{error.filename}: {error.strerror}") from error
    except TimeoutExpired as error:
        raise ValueError(f"it was not ready after {CHECK_TIMEOUT:.0f} s") from error
    if ended.returncode:
        raise ValueError([f"exit status {ended.returncode}", *ended.stdout.split("\n")[:-1]][-1])

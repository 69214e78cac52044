"""
Temporary directories for Unix sockets, which SIGTERM removes as well.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

__all__ = ["removedBySIGTERM", "socketFolder"]

_folders: set[TemporaryDirectory[str]] = set()


@contextmanager
def socketFolder() -> Iterator[Path]:
    """
    Make an empty temporary directory, and remove it afterwards.

    The paths of pytest's own directories are often longer than the address of a Unix socket may be (108 bytes,
    unix(7)).
    """
    folder = TemporaryDirectory(prefix="sockservices-", ignore_cleanup_errors=True)
    _folders.add(folder)
    try:
        with folder as name:
            yield Path(name)
    finally:
        _folders.discard(folder)


@contextmanager
def removedBySIGTERM() -> Iterator[None]:
    """
    Within this context, SIGTERM removes all directories before it ends the process. A signal handler of the program's
    own for SIGTERM stays installed, and then the directories stay.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is _terminate:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    for folder in tuple(_folders):
        folder.cleanup()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)

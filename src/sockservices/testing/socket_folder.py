"""
The folder of a Unix socket, which is removed when SIGTERM ends the program, too.
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
    An empty temporary folder with a short path. The folders of pytest often have paths that are too long for a socket.
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
    Within this context SIGTERM removes all folders before it ends the process. A program that has an action of its own
    for SIGTERM keeps that.
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

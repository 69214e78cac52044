"""
Locks the folder of a Unix socket while a server starts, and removes the file that a killed server has left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["lockedFolder", "removeStaleSocket"]

#: Seconds to wait for a lock. A server that starts holds it for less than a millisecond.
LOCK_TIMEOUT = 5.0

#: Seconds between two attempts to lock.
LOCK_INTERVAL = 0.005


@contextmanager
def lockedFolder(folder: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """
    Hold flock(2) on a folder. Unlike a lock file, this leaves nothing behind and needs no permission to write.

    A folder without read permission, or on a file system without locks, is left unlocked.

    @param timeout: seconds to wait for another process that holds the lock.
    @raise OSError: when there is no such folder, or another process still holds the lock after the timeout.
    """
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        yield
        return
    try:
        _lock(lock, folder, timeout)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                cause = f"another process has locked the folder {folder} for {timeout:g} s"
                raise OSError(errno.EWOULDBLOCK, cause) from None
            time.sleep(LOCK_INTERVAL)
        except OSError:
            return
        else:
            return


def removeStaleSocket(path: str) -> None:
    """
    Remove the file of a Unix socket if it belongs to this user and no process listens on it. Leave any other file
    alone.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
        return
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)  # noqa: PTH108
                return
            except OSError:
                # EPROTOTYPE: the file belongs to the other kind of socket. EAGAIN: the queue of the server is full.
                continue
            return

"""
The mode of the terminal while the lines of C{chat} are read.
"""

from __future__ import annotations

import os
import select
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

__all__ = ["keepEndOfFile"]

#: The maximum length of a line in canonical mode, in bytes (N_TTY_BUF_SIZE of Linux).
MAX_LINE = 4096


@contextmanager
def keepEndOfFile() -> Iterator[list[bytes]]:
    """
    Keep a Ctrl-D in the terminal's queue for readline.

    Between two lines, readline leaves the terminal in canonical mode. There Ctrl-D marks an end of file, and Linux
    drops the mark when readline selects its own mode (n_tty.c, n_tty_set_termios). Without an end-of-file character,
    Ctrl-D stays in the queue as a byte, which readline knows.

    Do nothing if standard input is no terminal, or if there is no readline.

    @return: the lines that were typed before, during the start of the program. An empty one is a Ctrl-D.
    """
    descriptor = sys.stdin.fileno() if sys.stdin.isatty() and sys.stdout.isatty() and find_spec("readline") else None
    if descriptor is None:
        yield []
        return
    saved = termios.tcgetattr(descriptor)
    changed = termios.tcgetattr(descriptor)
    changed[6][termios.VEOF] = bytes([os.fpathconf(descriptor, "PC_VDISABLE")])
    termios.tcsetattr(descriptor, termios.TCSANOW, changed)
    try:
        yield _typedLines(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, saved)


def _typedLines(descriptor: int) -> list[bytes]:
    """
    Read the complete lines in the queue of a terminal in canonical mode, up to the first end of file.
    """
    lines: list[bytes] = []
    while select.select([descriptor], [], [], 0)[0]:
        lines.append(os.read(descriptor, MAX_LINE))
        if not lines[-1]:
            break
    return lines

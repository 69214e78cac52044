"""
A terminal, or a pipe, that lines are read from while others are written.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock, main_thread
from types import FrameType

from sockservices.cli.words import Output

__all__ = ["Prompt"]

PROMPT = ">>: "

#: Ends the wait for a line. Not that of Ctrl-C, which is ignored where a shell has started us in the background.
WAKING = signal.SIGUSR1


class Prompt:
    """
    Asks for lines in the main thread, with a prompt if this is a terminal. Other threads may write meanwhile.
    """

    def __init__(self) -> None:
        self._terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self._lock = RLock()
        self._lines: list[str] = []
        self._output = Output(self._lines.append) if self._terminal else Output()
        self._reading = False
        self._closed = False
        self._typed: Callable[[], str] = str
        if self._terminal:
            with suppress(ImportError):
                # input() then edits lines, and remembers them.
                from readline import get_line_buffer

                self._typed = get_line_buffer
        signal.signal(WAKING, self._wake)

    def read(self) -> bytes | None:
        """
        Read a line.

        @return: the line, stripped; L{None} when there are no more.
        @raise KeyboardInterrupt: by the user, or by L{close}.
        """
        with self._lock:
            if self._closed:
                return None
            self._output.endLine()
            self._flush()
            self._reading = True
        try:
            if self._terminal:
                return os.fsencode(input(PROMPT)).strip()
            line = sys.stdin.buffer.readline()
            return line.strip() if line else None
        except EOFError:
            print()
            return None
        finally:
            self._reading = False

    def close(self, remark: str) -> None:
        """
        Show a last remark: no line will be wanted any more.
        """
        with self._lock:
            self._closed = True
            if not (self._reading and self._terminal):
                self._output.endLine()
                self._flush()
            if remark:
                self.show(remark)
        while self._reading:
            # Not once: what comes before the main thread waits for input does not wake it, but is only noted.
            signal.pthread_kill(main_thread().ident or 0, WAKING)
            time.sleep(0.02)

    def _wake(self, number: int, frame: FrameType | None) -> None:
        if self._reading and self._closed:
            self._reading = False
            raise KeyboardInterrupt

    def tell(self, said: bytes, whole: bool) -> None:
        """
        Show what the peer has said, above the line that is being typed.

        @param whole: whether that was all, so that what follows is on a line of its own.
        """
        with self._lock, self._above():
            self._output.say(said, whole)
            if whole:
                self._output.endLine()

    def show(self, remark: str) -> None:
        """
        Show a remark of our own.
        """
        if not self._terminal:
            if remark:
                print(f"sockservices chat: {remark}", file=sys.stderr)
            return
        with self._lock, self._above():
            self._output.endLine()
            self._lines.append(remark + "\n")

    @contextmanager
    def _above(self) -> Iterator[None]:
        """
        Where a line is being typed, move it down, with its prompt.
        """
        typing = self._reading and self._terminal
        if typing:
            self._lines.append("\r\x1b[K")
        yield
        if typing:
            self._output.endLine()
            self._lines.append("" if self._closed else PROMPT + self._typed())
        self._flush()

    def _flush(self) -> None:
        # All at once: the other thread may be about to show its prompt.
        if self._lines:
            sys.stdout.write("".join(self._lines))
            sys.stdout.flush()
            self._lines.clear()

"""
Reading lines from a terminal or a pipe while another thread prints.
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

from sockservices.cli.output import Output

__all__ = ["Prompt"]

PROMPT = ">>: "

#: ECMA-48: carriage return, then EL (erase in line) to the end of the line.
ERASE_LINE = "\r\x1b[K"

#: Interrupts the main thread's read. SIGINT would not do: a shell ignores it for its background jobs.
WAKE_SIGNAL = signal.SIGUSR1


class Prompt:
    """
    Reads lines in the main thread, with a prompt if standard input and output are a terminal. Another thread may print
    at the same time: on a terminal, its output appears above the line being edited.
    """

    def __init__(self) -> None:
        self._terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self._lock = RLock()
        self._pending: list[str] = []
        self._output = Output(self._pending.append) if self._terminal else Output()
        self._reading = False
        self._closed = False
        self._lineBuffer: Callable[[], str] = str
        if self._terminal:
            with suppress(ImportError):
                # The import alone gives input() line editing and a history.
                from readline import get_line_buffer

                self._lineBuffer = get_line_buffer
        signal.signal(WAKE_SIGNAL, self._interruptRead)

    def readLine(self) -> bytes | None:
        """
        Read a line.

        @return: the line without surrounding white space; L{None} at the end of the input.
        @raise KeyboardInterrupt: on Ctrl-C, or when L{close} interrupts the read.
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

    def close(self, message: str) -> None:
        """
        Print a last message, and interrupt a L{readLine} in progress.
        """
        with self._lock:
            self._closed = True
            if not (self._reading and self._terminal):
                self._output.endLine()
                self._flush()
            if message:
                self.printMessage(message)
        while self._reading:
            # A signal that arrives just before the blocking read does not interrupt it, so send it until one does.
            signal.pthread_kill(main_thread().ident or 0, WAKE_SIGNAL)
            time.sleep(0.02)

    def _interruptRead(self, number: int, frame: FrameType | None) -> None:
        if self._reading and self._closed:
            self._reading = False
            raise KeyboardInterrupt

    def printData(self, data: bytes, complete: bool) -> None:
        """
        Print data of the peer.

        @param complete: whether the data is a whole message, which gets a line of its own.
        """
        with self._lock, self._abovePrompt():
            self._output.writeData(data, complete)
            if complete:
                self._output.endLine()

    def printMessage(self, message: str) -> None:
        """
        Print a message of the command: on the terminal, or else on standard error.
        """
        if not self._terminal:
            if message:
                print(f"sockservices chat: {message}", file=sys.stderr)
            return
        with self._lock, self._abovePrompt():
            self._output.endLine()
            self._pending.append(message + "\n")

    @contextmanager
    def _abovePrompt(self) -> Iterator[None]:
        """
        Erase the line being edited, and print it again below the output.
        """
        editing = self._reading and self._terminal
        if editing:
            self._pending.append(ERASE_LINE)
        yield
        if editing:
            self._output.endLine()
            self._pending.append("" if self._closed else PROMPT + self._lineBuffer())
        self._flush()

    def _flush(self) -> None:
        # One write: the main thread may print its prompt between two.
        if self._pending:
            sys.stdout.write("".join(self._pending))
            sys.stdout.flush()
            self._pending.clear()

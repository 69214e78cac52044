"""
Reading lines from a terminal or a pipe while another thread prints.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock, main_thread
from types import FrameType

from sockservices.cli.output import Output

__all__ = ["PROMPT", "Prompt"]

#: The default prompt, that of the tutorials.
PROMPT = ">>: "

#: ECMA-48: carriage return, then EL (erase in line) to the end of the line.
ERASE_LINE = "\r\x1b[K"

#: Interrupts the main thread's read. SIGINT would not do: a shell ignores it for its background jobs.
WAKE_SIGNAL = signal.SIGUSR1


class Prompt:
    """
    Reads lines in the main thread, with a prompt if standard input and output are a terminal. Another thread may print
    at the same time: on a terminal, its output appears above the line being edited.

    @ivar terminal: whether standard input and output are a terminal.
    """

    def __init__(self, prompt: str = PROMPT, typedLines: Sequence[bytes] = ()) -> None:
        """
        @param prompt: the text before each line.
        @param typedLines: lines that have been read from the terminal; an empty one ends the input.
        """
        self._prompt = prompt
        self._typedLines = list(typedLines)
        self.terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self._lock = RLock()
        self._pending: list[str] = []
        self._output = Output(self._pending.append) if self.terminal else Output()
        self._reading = False
        self._closed = False
        self._lineBuffer: Callable[[], str] = str
        if self.terminal:
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
            if self._typedLines:
                typed = self._typedLines.pop(0)
                return typed.strip() if typed else None
            self._reading = True
        try:
            if self.terminal:
                return os.fsencode(input(self._prompt)).strip()
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
            if not (self._reading and self.terminal):
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

    def printRow(self, row: str) -> None:
        """
        Print a line on standard output.
        """
        with self._lock, self._abovePrompt():
            self._output.endLine()
            self._pending.append(row + "\n")

    def printMessage(self, message: str) -> None:
        """
        Print a message of the command: on the terminal, or else on standard error.
        """
        if self.terminal:
            self.printRow(message)
        elif message:
            print(f"sockservices chat: {message}", file=sys.stderr)

    @contextmanager
    def _abovePrompt(self) -> Iterator[None]:
        """
        Erase the line being edited, and print it again below the output.
        """
        editing = self._reading and self.terminal
        if editing:
            self._pending.append(ERASE_LINE)
        yield
        if editing:
            self._output.endLine()
            self._pending.append("" if self._closed else self._prompt + self._lineBuffer())
        self._flush()

    def _flush(self) -> None:
        # One write: the main thread may print its prompt between two.
        if self._pending:
            text = "".join(self._pending)
            # Before the write, which may fail: close() must not try again.
            self._pending.clear()
            sys.stdout.write(text)
            sys.stdout.flush()

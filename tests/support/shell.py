"""
A shell that is told commands, as a reader of a document would type them, and tells what they print.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import shlex
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.twistd import ROOT, environment

__all__ = ["Shell", "installCommands", "same"]

#: How long one shell may take, in seconds.
PATIENCE = 20.0

#: The console scripts of Twisted.
TWISTED = {"twist": "twisted.application.twist._twist:Twist.main", "twistd": "twisted.scripts.twistd:run"}

#: Run by the shell and by Python alike: the interpreter's path may be too long for a first line, or have a space.
SCRIPT = """#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
import sys
from importlib.metadata import EntryPoint
sys.exit(EntryPoint("", "{origin}", "").load()())
"""


def same(said: str, printed: str) -> bool:
    """
    Whether that is what was said: C{...} is anything, and empty lines at the end are nothing.
    """
    flags = doctest.ELLIPSIS | doctest.DONT_ACCEPT_TRUE_FOR_1
    return doctest.OutputChecker().check_output(said.rstrip() + "\n", printed.rstrip() + "\n", flags)


def installCommands(folder: Path) -> None:
    """
    Put the console scripts there: they are not always beside the interpreter.
    """
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for name, origin in {**TWISTED, **own}.items():
        script = folder / name
        script.write_text(SCRIPT.format(python=shlex.quote(sys.executable), origin=origin))
        script.chmod(0o755)


class Shell:
    """
    A context manager: one bash that is told one command after another. What ends with C{ &} runs beside them.
    """

    def __init__(self, folder: Path, commands: Path) -> None:
        """
        @param folder: where it starts.
        @param commands: the folder of the console scripts.
        """
        path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
        beside, self._beside = os.pipe()
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment(PATH=path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[self._beside],
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        self._besides = os.fdopen(beside, errors="backslashreplace")
        os.close(self._beside)
        self._deadline = threading.Timer(PATIENCE, self._kill)

    def __enter__(self) -> Self:
        """
        From now on the time runs.
        """
        self._deadline.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """
        End what runs beside it, and then it.
        """
        with contextlib.suppress(BrokenPipeError), self._input:
            self._input.write(b"trap : TERM; kill 0; wait\n")
        self._process.wait()
        self._deadline.cancel()
        self._output.close()
        self._besides.close()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def run(self, command: str) -> str:
        """
        What a command prints.
        """
        # C{$?} is kept for the next command. What a command reads is nothing, and not the next command.
        self._input.write(f"{{ {command}\n}} </dev/null\n{{ STATUS=$?; printf '\\0'; (exit $STATUS); }}\n".encode())
        self._input.flush()
        printed = bytearray()
        while not printed.endswith(b"\0"):
            if not (byte := self._output.read(1)):
                raise AssertionError(f"the shell has ended, after {PATIENCE} s at most: {command}\n{printed.decode()}")
            printed += byte
        return printed[:-1].decode(errors="backslashreplace")

    def runBeside(self, command: str, said: str) -> str:
        """
        What is printed by a command that runs beside, as soon as it is what is said, or else until it has ended.
        """
        self.run(f"{command.removesuffix('&')} >&{self._beside} 2>&1 </dev/null &")
        printed = ""
        while said.strip() and not same(said, printed) and (line := self._besides.readline()):
            printed += line
        return printed

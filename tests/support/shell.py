"""
A shell that runs commands one by one, as a reader of a document types them, and returns their output.
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

__all__ = ["Shell", "installCommands", "outputMatches"]

#: Seconds after which a shell is killed.
SHELL_TIMEOUT = 20.0

#: The console scripts of Twisted that documents use.
TWISTED_SCRIPTS = {"twist": "twisted.application.twist._twist:Twist.main", "twistd": "twisted.scripts.twistd:run"}

#: Valid as a shell script and as Python code: the interpreter's path may be too long for a C{#!} line, or have a space.
SCRIPT = """#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
import sys
from importlib.metadata import EntryPoint
sys.exit(EntryPoint("", "{origin}", "").load()())
"""


def outputMatches(expected: str, output: str) -> bool:
    """
    Compare output with the expected text, in which C{...} matches anything. Empty lines at the end are ignored.
    """
    flags = doctest.ELLIPSIS | doctest.DONT_ACCEPT_TRUE_FOR_1
    return doctest.OutputChecker().check_output(expected.rstrip() + "\n", output.rstrip() + "\n", flags)


def installCommands(folder: Path) -> None:
    """
    Write the console scripts to a folder: an installation need not have them beside the interpreter.
    """
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for name, origin in {**TWISTED_SCRIPTS, **own}.items():
        script = folder / name
        script.write_text(SCRIPT.format(python=shlex.quote(sys.executable), origin=origin))
        script.chmod(0o755)


class Shell:
    """
    A context manager for one bash process that runs commands one after another, in the foreground or in the background.
    """

    def __init__(self, folder: Path, commands: Path) -> None:
        """
        @param folder: the working directory.
        @param commands: the folder of the console scripts.
        """
        path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
        background, self._backgroundOutput = os.pipe()
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment(PATH=path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[self._backgroundOutput],
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        self._background = os.fdopen(background, errors="backslashreplace")
        os.close(self._backgroundOutput)
        self._deadline = threading.Timer(SHELL_TIMEOUT, self._kill)

    def __enter__(self) -> Self:
        """
        Start the timeout.
        """
        self._deadline.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """
        Terminate the background commands and the shell.
        """
        with contextlib.suppress(BrokenPipeError), self._input:
            self._input.write(b"trap : TERM; kill 0; wait\n")
        self._process.wait()
        self._deadline.cancel()
        self._output.close()
        self._background.close()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def run(self, command: str) -> str:
        """
        Run a command to its end.

        @return: its output, standard error included.
        """
        # The next command can read $? of this one. Standard input is /dev/null, since bash reads its commands from it.
        self._input.write(f"{{ {command}\n}} </dev/null\n{{ STATUS=$?; printf '\\0'; (exit $STATUS); }}\n".encode())
        self._input.flush()
        output = bytearray()
        while not output.endswith(b"\0"):
            if not (byte := self._output.read(1)):
                raise AssertionError(
                    f"the shell ended, or was killed after {SHELL_TIMEOUT} s, during {command}\n{output.decode()}"
                )
            output += byte
        return output[:-1].decode(errors="backslashreplace")

    def runInBackground(self, command: str, expected: str) -> str:
        """
        Start a command that ends with C{&}, and read its output until it matches the expected text or ends.

        @return: the output so far.
        """
        self.run(f"{command.removesuffix('&')} >&{self._backgroundOutput} 2>&1 </dev/null &")
        output = ""
        while expected.strip() and not outputMatches(expected, output) and (line := self._background.readline()):
            output += line
        return output

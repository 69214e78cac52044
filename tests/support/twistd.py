"""
A server in a process of its own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["ROOT", "Twistd", "environment"]

ROOT = Path(__file__).parents[2]

#: Call the function of the console script: the script is not always beside the interpreter.
COMMAND = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=", "sockservices")

#: Seconds for a server to start, to log an expected message, and to stop.
TIMEOUT = 20.0

LISTENING = re.compile(r"(\S+) listening on (\w+):(.+)")
READY = re.compile(r"ready: (\d+) listeners?")


def environment(**more: str) -> dict[str, str]:
    """
    The environment for a server process: the checkout's package and plugin are found whether they are installed or not.
    """
    path = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"} | more
    # Without bytecode files, each of several hundred processes compiles the package again.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


def _sentence(line: str) -> str:
    """
    The message of a log line in either format.
    """
    try:
        return str(json.loads(line)["event"])
    except (ValueError, TypeError, KeyError):
        return line


class Twistd:
    """
    A context manager around a server process: the server is ready in its body. At exit it is stopped, and its log has
    no traceback.

    @ivar lines: the log so far.
    @ivar listeners: the addresses in the log, by (service, transport).
    @ivar status: the exit status, once it has stopped.
    """

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] = COMMAND,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.lines: list[str] = []
        self.listeners: dict[tuple[str, str], list[str]] = {}
        self.status: int | None = None
        self._ended = False
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            env=environment() if env is None else env,
            cwd=cwd,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """
        Collect the output of the server until it ends.
        """
        for line in self._output:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def log(self) -> str:
        """
        The whole output so far.
        """
        return "".join(self.lines)

    @property
    def pid(self) -> int:
        """
        The process id.
        """
        return self._process.pid

    def waitFor(self, pattern: str | re.Pattern[str], seconds: float = TIMEOUT) -> str:
        """
        Wait for a log message that matches, and return the first one.
        """
        with self._news:
            self._news.wait_for(lambda: self._ended or self._find(pattern) is not None, seconds)
            found = self._find(pattern)
        assert found is not None, f"no {pattern!r} in the log:\n{self.log}"
        return found

    def _find(self, pattern: str | re.Pattern[str]) -> str | None:
        """
        The first log message that matches, or L{None}.
        """
        return next((sentence for sentence in map(_sentence, self.lines) if re.search(pattern, sentence)), None)

    def address(self, service: str, transport: str = "tcp", host: str = "127.0.0.1") -> tuple[str, int]:
        """
        The address of a service on this interface.
        """
        for listener in self.listeners[service, transport]:
            interface, _, port = listener.rpartition(":")
            if interface.strip("[]") == host:
                return host, int(port)
        raise LookupError(f"{service} does not listen on {transport} {host}: {self.listeners}")

    def path(self, service: str, transport: str = "unix") -> str:
        """
        The path of a service's Unix socket.
        """
        return self.listeners[service, transport][0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """
        Send a signal and wait until the process ends.
        """
        if self.status is None:
            self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """
        Wait until the process ends.
        """
        if self.status is None:
            try:
                self._process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise AssertionError(f"the process has not ended:\n{self.log}") from None
            finally:
                self.status = self._process.wait()
                self._reader.join()
                self._output.close()
        return self.status

    def __enter__(self) -> Self:
        """
        Wait until the server is ready.
        """
        try:
            ready = self.waitFor(READY)
            for line in self.lines:
                if match := LISTENING.search(_sentence(line)):
                    service, transport, listener = match.groups()
                    self.listeners.setdefault((service, transport), []).append(listener)
            match = READY.search(ready)
            assert match, ready
            assert sum(map(len, self.listeners.values())) == int(match[1]), self.log
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """
        Stop the server and check how it ended, unless the test has stopped it or has failed.
        """
        stopped = self.status is not None
        status = self.stop()
        if error is None:
            assert "Traceback" not in self.log, self.log
            assert stopped or status == -signal.SIGTERM, f"exit status {status}:\n{self.log}"

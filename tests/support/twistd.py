"""
A server of our own in a process of its own, for tests that talk to it from outside.
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

#: The console script by its function: it is not always beside the interpreter.
COMMAND = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=", "sockservices")

#: How long a server may take to start, to say something, and to stop.
PATIENCE = 20.0

LISTENING = re.compile(r"(\S+) listening on (\w+):(.+)")
READY = re.compile(r"ready: (\d+) listeners?")


def environment(**more: str) -> dict[str, str]:
    """
    The environment of the tests, in which the checkout's package and plugin are found, installed or not.
    """
    path = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"} | more


def _sentence(line: str) -> str:
    """
    What a line of the log says, in either of its formats.
    """
    try:
        return str(json.loads(line)["event"])
    except (ValueError, TypeError, KeyError):
        return line


class Twistd:
    """
    A context manager: in its body the server is ready, and after it the server has stopped with nothing raised.

    @ivar lines: the log so far.
    @ivar listeners: what each service listens on, by (service, transport), as said in the log.
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
        Keep what the server says, as long as it lives.
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
        All that the server has said.
        """
        return "".join(self.lines)

    @property
    def pid(self) -> int:
        """
        The server's process id.
        """
        return self._process.pid

    def waitFor(self, pattern: str | re.Pattern[str], seconds: float = PATIENCE) -> str:
        """
        The first sentence of the log that the pattern is found in, as soon as it is there.
        """
        with self._news:
            self._news.wait_for(lambda: self._ended or self._find(pattern) is not None, seconds)
            found = self._find(pattern)
        assert found is not None, f"no {pattern!r} in the log:\n{self.log}"
        return found

    def _find(self, pattern: str | re.Pattern[str]) -> str | None:
        """
        The first sentence so far that the pattern is found in.
        """
        return next((sentence for sentence in map(_sentence, self.lines) if re.search(pattern, sentence)), None)

    def address(self, service: str, transport: str = "tcp", host: str = "127.0.0.1") -> tuple[str, int]:
        """
        Where the service listens on that interface.
        """
        for listener in self.listeners[service, transport]:
            interface, _, port = listener.rpartition(":")
            if interface.strip("[]") == host:
                return host, int(port)
        raise LookupError(f"{service} does not listen on {transport} {host}: {self.listeners}")

    def path(self, service: str, transport: str = "unix") -> str:
        """
        The name of the service's Unix socket.
        """
        return self.listeners[service, transport][0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """
        Send a signal, and wait for the end.
        """
        if self.status is None:
            self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """
        Wait for the end.
        """
        if self.status is None:
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise AssertionError(f"still there:\n{self.log}") from None
            finally:
                self.status = self._process.wait()
                self._reader.join()
                self._output.close()
        return self.status

    def __enter__(self) -> Self:
        """
        Wait until it is ready.
        """
        try:
            ready = self.waitFor(READY)
            for line in self.lines:
                if said := LISTENING.search(_sentence(line)):
                    service, transport, listener = said.groups()
                    self.listeners.setdefault((service, transport), []).append(listener)
            said = READY.search(ready)
            assert said, ready
            assert sum(map(len, self.listeners.values())) == int(said[1]), self.log
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """
        Stop it, and look at how it ended, unless the test has done so or failed.
        """
        stopped = self.status is not None
        status = self.stop()
        if error is None:
            assert "Traceback" not in self.log, self.log
            assert stopped or status == -signal.SIGTERM, f"exit status {status}:\n{self.log}"

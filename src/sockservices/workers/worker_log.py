"""
The log lines of workers, in the log of their supervisor.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

__all__ = ["MAX_LINE", "LineBuffer", "logOutput", "logWorkerLine"]

#: Maximum number of bytes of a line.
MAX_LINE = 262144


class LineBuffer:
    """
    Divides the data of a pipe into lines. The rest of a line after L{MAX_LINE} bytes is discarded.
    """

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> Iterator[bytes]:
        """
        Add data.

        @return: the lines that it completes, without their ends; no empty ones.
        """
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:MAX_LINE]
        return iter([line[:MAX_LINE] for line in lines if line])


def logWorkerLine(worker: int, line: dict[str, Any]) -> None:
    """
    Log a line of a worker, with its time, its level and its fields.

    @param worker: the number of the worker, which the line shows.
    @param line: an object of L{jsonLine<sockservices.monitoring.log.jsonLine>}.
    """
    time, level, text = line.pop("time"), line.pop("level"), line.pop("event")
    if "traceback" in line:
        line["log_failure"] = _WorkerFailure(line.pop("traceback"))
    _log(worker, text, LogLevel.lookupByName(level), datetime.fromisoformat(time).timestamp(), line)


class _WorkerFailure(Failure):
    """
    A failure in a worker, of which the supervisor has the text only.
    """

    def __init__(self, traceback: str) -> None:
        super().__init__(Exception(traceback))
        self._traceback = traceback

    def getTraceback(self, *args: Any, **kwargs: Any) -> str:
        """
        The traceback as the worker has formatted it.
        """
        return self._traceback


def logOutput(worker: int, text: str) -> None:
    """
    Log a line that a worker has printed.
    """
    _log(worker, text, LogLevel.warn, datetime.now().timestamp(), {})


def _log(worker: int, text: str, level: Any, time: float, fields: dict[str, Any]) -> None:
    event: LogEvent = {
        **fields,
        "log_format": "{text}",
        "text": text,
        "log_level": level,
        "log_namespace": "sockservices",
        "log_system": f"worker {worker}#{level.name}",
        "log_time": time,
        "worker": worker,
    }
    globalLogPublisher(event)

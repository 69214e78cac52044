"""
The log lines of workers, in the log of their supervisor.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from twisted.logger import LogEvent, LogLevel, globalLogPublisher

__all__ = ["MAX_LINE", "LineBuffer", "logOutput", "logWorkerLine"]

#: Maximum number of bytes of a line.
MAX_LINE = 262144


class LineBuffer:
    """
    Divides the data of a pipe into lines. A line of more than L{MAX_LINE} bytes is discarded.
    """

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> Iterator[bytes]:
        """
        Add data.

        @return: the lines that it completes, without their ends; no empty ones.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            self._rest = b""
        return iter([line for line in lines if line])


def logWorkerLine(worker: int, line: dict[str, Any]) -> None:
    """
    Log a line of a worker, with its time, its level and its fields.

    @param worker: the number of the worker, which the line shows.
    @param line: an object of L{jsonLine<sockservices.monitoring.log.jsonLine>}.
    """
    time, level, text = line.pop("time"), line.pop("level"), line.pop("event")
    if "traceback" in line:
        text = f"{text}\n{line.pop('traceback')}"
    _log(worker, text, LogLevel.lookupByName(level), datetime.fromisoformat(time).timestamp(), line)


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

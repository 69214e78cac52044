"""
The command's log: twistd's own text, or one JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import syslog
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from twisted.logger import FileLogObserver, ILogObserver, LogEvent, LogLevel, formatEvent, formatEventAsClassicLogText
from twisted.python.log import ILogObserver as ILegacyObserver
from twisted.python.syslog import SyslogObserver

from sockservices.monitoring.background_writer import BackgroundWriter, mayBlock
from sockservices.monitoring.log_file import ReopenedLogFile

__all__ = ["FORMATS", "droppedEvent", "jsonLine", "logObserver", "ownLines"]

#: The values of C{--log-format}.
FORMATS = ("text", "json")

#: The keys of a JSON line, where it is about a conversation or datagram, a listener, or a number of them. Each has one
#: meaning in all lines, so that a log pipeline can sum and group by it.
FIELDS = (
    *("service", "transport", "peer", "host", "port", "path", "serial"),
    *("seconds", "received", "sent", "outcome", "faults", "reason", "data"),
    *("listeners", "counts", "exceeded", "totals", "worker"),
)

#: The packages of Twisted that log the start and the end: "starting up", "Received SIGTERM", "Main loop terminated".
NAMESPACES = ("twisted.scripts.", "twisted.application.", "twisted.internet.base")

#: The line with which twistd reports the new user, through its older log, which has no namespaces.
NEW_USER = "set uid/gid "


def jsonLine(event: LogEvent) -> str:
    """
    An event as one line of JSON: C{time} (UTC), C{level}, C{event} (the sentence that the text format has), and the
    fields of a conversation where it is about one.
    """
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(timespec="milliseconds")
    level = event.get("log_level") or LogLevel.info
    line: dict[str, Any] = {"time": moment.replace("+00:00", "Z"), "level": level.name, "event": formatEvent(event)}
    if "log_failure" in event:
        line["traceback"] = event["log_failure"].getTraceback()
    line.update({name: event[name] for name in FIELDS if name in event})
    return json.dumps(line, default=_jsonValue) + "\n"


def _jsonValue(value: object) -> object:
    """
    Bytes of a peer, which may be no text, as text and in base64 (RFC 4648).
    """
    if isinstance(value, bytes):
        return {"text": value.decode(errors="backslashreplace"), "base64": b64encode(value).decode()}
    return str(value)


class _Syslog:
    """
    A text file whose lines go to syslog(3).
    """

    def __init__(self, prefix: str) -> None:
        syslog.openlog(prefix)

    def write(self, text: str) -> None:
        syslog.syslog(text.rstrip("\n"))

    def flush(self) -> None:
        """
        Do nothing: C{write} buffers nothing.
        """


def logObserver(format: str, options: Mapping[str, Any], reactor: Any) -> ILogObserver | ILegacyObserver:
    """
    Make the observer for twistd's own options C{--logfile}, C{--syslog} and C{--prefix}. A stalled reader of a pipe,
    terminal, FIFO or socket does not block the reactor.

    @param format: one of L{FORMATS}.
    @param reactor: its start and stop start and stop the background writer. It handles SIGUSR1, which rotates a file.
    @raise OSError: when the file cannot be opened.
    @raise ValueError: when there is no standard output to log to.
    """
    formatLine = cast(Callable[[LogEvent], str], formatEventAsClassicLogText if format == "text" else jsonLine)
    if options.get("syslog"):
        if format == "text":
            return cast(ILegacyObserver, SyslogObserver(options["prefix"]).emit)
        out: Any = _Syslog(options["prefix"])
    else:
        name = options.get("logfile") or ("-" if options["nodaemon"] else "twistd.log")
        out = _standardOutput(options["nodaemon"]) if name == "-" else _open(name)
    if isinstance(out, ReopenedLogFile):
        if signal.getsignal(signal.SIGUSR1) in (signal.SIG_DFL, None):
            signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(out.rotate))
    elif isinstance(out, int):
        out = BackgroundWriter(out, lambda count: formatLine(droppedEvent(count)))
        out.runWith(reactor)
    return cast(ILogObserver, FileLogObserver(out, formatLine))


def _standardOutput(foreground: bool) -> Any:
    """
    @return: the descriptor of the standard output where writing to it may block, else the text file.
    """
    if not foreground:
        raise ValueError("a daemon has no standard output; name a file, or give --nodaemon")
    if sys.stdout is None:
        raise ValueError("the standard output is closed; name a file")
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        # An object in place of the standard output, which has no descriptor.
        return sys.stdout
    sys.stdout.flush()
    return descriptor if mayBlock(descriptor) else sys.stdout


def _open(name: str) -> Any:
    """
    @return: the descriptor of a FIFO or device, else the file.
    """
    path = Path(name)
    if path.exists() and not (path.is_file() or path.is_dir()):
        # Opened for writing only, a FIFO would block until there is a reader (fifo(7)).
        return os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        file: ReopenedLogFile = ReopenedLogFile.fromFullPath(name)
    except AssertionError as error:
        # Twisted asserts that the folder exists.
        raise OSError(str(error)) from None
    return file


def ownLines(observer: ILogObserver) -> Callable[[LogEvent], None]:
    """
    Pass on all events but the reports of twistd. Its warnings and errors pass.
    """

    def observe(event: LogEvent) -> None:
        isReport = str(event.get("log_namespace", "")).startswith(NAMESPACES) or str(
            event.get("log_text", "")
        ).startswith(NEW_USER)
        if not isReport or event.get("log_level") in (LogLevel.warn, LogLevel.error, LogLevel.critical):
            observer(event)

    return observe


def droppedEvent(count: int) -> LogEvent:
    """
    The event that reports lines which were dropped because their reader did not keep up.
    """
    return {
        "log_format": "{count} log lines dropped: the reader of the log did not keep up",
        "log_level": LogLevel.warn,
        "log_namespace": "sockservices",
        "log_time": time.time(),
        "count": count,
    }

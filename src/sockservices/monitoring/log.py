"""
The command's log: twistd's own text, or one JSON object a line.
"""

from __future__ import annotations

import json
import signal
import sys
import syslog
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

from twisted.logger import FileLogObserver, ILogObserver, LogEvent, formatEvent, textFileLogObserver
from twisted.python.log import ILogObserver as ILegacyObserver
from twisted.python.logfile import LogFile
from twisted.python.syslog import SyslogObserver

__all__ = ["FORMATS", "jsonLine", "logObserver"]

#: The words for the formats.
FORMATS = ("text", "json")

#: What a line says of a conversation or datagram beside the sentence.
FIELDS = ("service", "transport", "peer", "listener", "serial", "seconds", "received", "sent", "outcome", "reason")


def jsonLine(event: LogEvent) -> str:
    """
    An event as one line of JSON: C{time} (UTC), C{level}, C{event} (the sentence that the text format has), and the
    fields of a conversation where it is about one.
    """
    time = datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(timespec="milliseconds")
    level = event.get("log_level")
    line: dict[str, Any] = {
        "time": time.replace("+00:00", "Z"),
        "level": level.name if level is not None else "info",
        "event": formatEvent(event),
    }
    if "log_failure" in event:
        line["traceback"] = event["log_failure"].getTraceback()
    line.update({name: event[name] for name in FIELDS if name in event})
    return json.dumps(line, default=str) + "\n"


class _Syslog:
    """
    A file whose lines go to syslog(3).
    """

    def __init__(self, prefix: str) -> None:
        syslog.openlog(prefix)

    def write(self, text: str) -> None:
        syslog.syslog(text.rstrip("\n"))

    def flush(self) -> None:
        """
        Nothing is held back.
        """


def logObserver(format: str, options: Mapping[str, Any]) -> ILogObserver | ILegacyObserver:
    """
    Where the log goes, by twistd's own options C{--logfile}, C{--syslog} and C{--prefix}.

    @param format: one of L{FORMATS}.
    @param options: those of twistd.
    @raise OSError: when the file cannot be opened.
    @raise ValueError: when a daemon is asked to log to its standard output, which it does not have.
    """
    if options.get("syslog"):
        if format == "text":
            return cast(ILegacyObserver, SyslogObserver(options["prefix"]).emit)
        out: Any = _Syslog(options["prefix"])
    else:
        out = _file(options.get("logfile") or ("-" if options["nodaemon"] else "twistd.log"), options["nodaemon"])
    return cast(ILogObserver, textFileLogObserver(out) if format == "text" else FileLogObserver(out, jsonLine))


def _file(name: str, foreground: bool) -> TextIO | LogFile:
    if name == "-":
        if not foreground:
            raise ValueError("a daemon has no standard output; name a file, or give --nodaemon")
        return sys.stdout
    try:
        file: LogFile = LogFile.fromFullPath(name)
    except AssertionError as fault:
        raise OSError(str(fault)) from None
    if signal.getsignal(signal.SIGUSR1) in (signal.SIG_DFL, None):
        signal.signal(signal.SIGUSR1, lambda *_: _rotate(file))
    return file


def _rotate(file: LogFile) -> None:
    from twisted.internet import reactor

    reactor.callFromThread(file.rotate)  # type: ignore[attr-defined]

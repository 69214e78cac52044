"""
A log without the lines of twistd.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import ILogObserver, LogEvent, LogLevel

__all__ = ["ownLines"]

#: The packages of Twisted that log the start and the end: "starting up", "Received SIGTERM", "Main loop terminated".
NAMESPACES = ("twisted.scripts.", "twisted.application.", "twisted.internet.base")

#: The line with which twistd reports the new user, through its older log, which has no namespaces.
NEW_USER = "set uid/gid "


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

"""
A log without the lines of twistd.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import FilteringLogObserver, ILogFilterPredicate, ILogObserver, LogEvent, LogLevel, PredicateResult
from zope.interface import implementer

__all__ = ["ownLines"]

#: The packages of Twisted that log the start and the end: "starting up", "Received SIGTERM", "Main loop terminated".
NAMESPACES = ("twisted.scripts.", "twisted.application.", "twisted.internet.base")

#: The line with which twistd reports the new user, through its older log, which has no namespaces.
NEW_USER = "set uid/gid "


def ownLines(observer: ILogObserver) -> ILogObserver:
    """
    Pass on all events but the reports of twistd. Its warnings and errors pass.
    """
    return FilteringLogObserver(observer, [_NotOfTwistd()])


@implementer(ILogFilterPredicate)
class _NotOfTwistd:
    def __call__(self, event: LogEvent) -> Any:
        if event.get("log_level") in (LogLevel.warn, LogLevel.error, LogLevel.critical):
            return PredicateResult.maybe
        reported = str(event.get("log_text", "")).startswith(NEW_USER)
        return PredicateResult.no if reported or _namespace(event).startswith(NAMESPACES) else PredicateResult.maybe


def _namespace(event: LogEvent) -> str:
    return str(event.get("log_namespace", ""))

"""
The servers that a test asks for by name.
"""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import fields
from functools import cache
from threading import Lock
from typing import Any

from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from zope.interface import implementer

from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder
from sockservices.conversation.transport import Transport
from sockservices.registry import find
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.background_server import Served
from sockservices.transports.bindings import LOOPBACK

__all__ = ["Servers"]

#: The limits. There is none for draining: when a test is over, nobody waits.
LIMITS = [limit.name for limit in fields(Policy) if limit.name != "drain"]

#: Lines of the log that are kept: a report wants the last ones.
LINES = 200

#: Found once: it takes longer than to start a server.
_find = cache(find)


@implementer(ILogObserver)
class _Log:
    """
    The last of what the servers say, without what others do.
    """

    def __init__(self, background: BackgroundReactor) -> None:
        self._background = background
        self.lines: deque[str] = deque(maxlen=LINES)

    def __call__(self, event: LogEvent) -> None:
        namespace = str(event.get("log_namespace", ""))
        if namespace.partition(".")[0] == "sockservices" and self._background.here():
            self.lines.append(eventAsText(event, includeTimestamp=False, includeSystem=False))


class Servers:
    """
    The servers of one test.
    """

    def __init__(self, background: BackgroundReactor) -> None:
        self._background = background
        self._served: list[Served] = []
        self._log = _Log(background)
        self._exits = ExitStack()
        # A test may start servers in threads of its own.
        self._starting = Lock()
        self._observing = False

    def __call__(
        self, service: str | MakeResponder, transport: str = "tcp", *, interface: str | None = None, **limits: Any
    ) -> Served:
        """
        Start a server on a free port of its own, or in a temporary folder.

        @param service: the name of a service; or a L{Responder<sockservices.Responder>} class, or
            anything that makes one.
        @param transport: C{"tcp"}, C{"udp"}, C{"unix"} or C{"unixgram"}.
        @param interface: an IP address of this machine, such as C{"::1"}; by default C{127.0.0.1}.
        @param limits: those of a L{Policy}, by their names; among them C{timeout}, the service's own deadline.
        @return: the server, listening.
        @raise ValueError: when there is no such service, transport or limit. Its text tells which there are.
        """
        responder = _responder(service)
        if transport not in list(Transport):
            raise ValueError(f"no transport {transport!r}; there are {', '.join(Transport)}")
        for name in limits:
            if name not in LIMITS:
                raise ValueError(f"no limit {name!r}; there are {', '.join(LIMITS)}")
        if interface is not None and not Transport(transport).isInet:
            raise ValueError(f"interface {interface!r}: a Unix socket has none")
        with self._starting:
            if not self._observing:
                globalLogPublisher.addObserver(self._log)
                self._exits.callback(globalLogPublisher.removeObserver, self._log)
                self._observing = True
        policy = Policy(drain=0, **limits)
        served = Served(self._background, responder, Transport(transport), interface or LOOPBACK, policy)
        self._exits.callback(served.close)
        self._served.append(served)
        return served

    def log(self) -> str:
        """
        What the servers have logged.
        """
        # A responder that blocks is seen in the log as well as it can be.
        with suppress(TimeoutError):
            for served in self._served:
                served.tell()
        return "\n".join(self._log.lines)

    def close(self) -> None:
        """
        Close all of them.
        """
        self._served.clear()
        self._exits.close()


def _responder(service: str | MakeResponder) -> MakeResponder:
    if isinstance(service, str):
        try:
            return _find(service)
        except LookupError as fault:
            raise ValueError(str(fault)) from None
    if not callable(service):
        raise ValueError(f"{service!r}: expected the name of a service, a Responder class, or what makes one")
    return service

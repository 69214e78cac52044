"""
The value of the pytest fixture C{sockservice}: it starts the servers of one test.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import fields
from functools import cache
from typing import Any

from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from zope.interface import implementer

from sockservices.conversation.context import Conversation
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import serviceName
from sockservices.conversation.responder_types import ResponderTypeError, checkMade, checkMaker
from sockservices.conversation.transport import Transport
from sockservices.faults.fault import Fault
from sockservices.registry import find
from sockservices.scripting.coroutine_service import Service, isCoroutineService
from sockservices.scripting.script_file import SUFFIX, loadScript
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.background_server import BackgroundServer
from sockservices.testing.transport_name import transportNamed
from sockservices.transports.bindings import LOOPBACK

__all__ = ["Servers"]

#: The limits that a test may set. C{drain} is always 0: the end of a test does not wait for peers.
LIMIT_NAMES = [field.name for field in fields(Policy) if field.name != "drain"]

#: The last lines of the log are kept, for the report of a failed test.
MAX_LOG_LINES = 200

MAX_PORT = 65535

#: Cached, because finding the entry points takes longer than starting a server.
_find = cache(find)


@implementer(ILogObserver)
class _ServerLog:
    """
    Keeps the last lines that the project logs in the servers' thread.
    """

    def __init__(self, background: BackgroundReactor) -> None:
        self._background = background
        self.lines: deque[str] = deque(maxlen=MAX_LOG_LINES)

    def __call__(self, event: LogEvent) -> None:
        namespace = str(event.get("log_namespace", ""))
        if namespace.partition(".")[0] == "sockservices" and self._background.inReactorThread():
            self.lines.append(eventAsText(event, includeTimestamp=False, includeSystem=False))


class Servers:
    """
    The servers of one test. A call starts a server.
    """

    def __init__(self, background: BackgroundReactor, logTimeout: float = 1.0) -> None:
        """
        @param logTimeout: seconds that L{log} waits for the servers' thread.
        """
        self._background = background
        self._logTimeout = logTimeout
        self._servers: list[BackgroundServer] = []
        self._log = _ServerLog(background)
        self._cleanups = ExitStack()
        globalLogPublisher.addObserver(self._log)
        self._cleanups.callback(globalLogPublisher.removeObserver, self._log)

    def __call__(
        self,
        service: str | os.PathLike[str] | Service,
        transport: str = "tcp",
        *,
        interface: str | None = None,
        port: int | None = None,
        faults: Sequence[Fault] = (),
        seed: int | None = None,
        **limits: Any,
    ) -> BackgroundServer:
        """
        Start a server on a free port, or on a Unix socket in a temporary directory.

        @param service: the name of a service; the path of a script file, C{PATH.toml}; a
            L{Responder<sockservices.Responder>} class; a coroutine function; or a callable that takes a
            L{Conversation<sockservices.Conversation>} and returns a responder. It is called once to check its
            return value.
        @param transport: C{"tcp"}, C{"udp"}, C{"unix"} or C{"unixgram"}.
        @param interface: an IP address of this machine, such as C{"::1"}; by default C{127.0.0.1}.
        @param port: a fixed port; by default a free one.
        @param faults: the faults of its conversations, in the order in which they act.
        @param seed: the seed of the faults, also of those that C{server.faults} sets later; by default a random one,
            which the report of a failed test names.
        @param limits: fields of L{Policy<sockservices.Policy>}, such as C{timeout}, the service's own deadline.
        @return: the listening server.
        @raise ValueError: for an unknown service, transport or limit, for a value out of range, for a fault that the
            transport cannot have, and for an object that makes no responder. The message lists the valid values.
        @raise OSError: if the port is in use.
        """
        responder = _responder(service)
        kind = transportNamed(transport)
        for name in limits:
            if name not in LIMIT_NAMES:
                raise ValueError(f"no limit {name!r}: expected one of {', '.join(LIMIT_NAMES)}")
        if interface is not None and not kind.isInet:
            raise ValueError(f"interface {interface!r}: expected none with {transport}, which has no interfaces")
        if port is not None:
            _checkPort(port, kind)
        policy = Policy(drain=0, **limits)
        server = BackgroundServer(
            self._background, responder, kind, interface or LOOPBACK, policy, port or 0, faults, seed
        )
        self._cleanups.callback(server.close)
        self._servers.append(server)
        return server

    def log(self) -> str:
        """
        Return the faults of the servers with their seeds, and the last lines that the servers logged.

        A responder that blocks the servers' thread holds back the summary of refused connections. Then the last line
        reports that the log is incomplete.
        """
        faults = [server.faultNotice for server in self._servers if server.faultNotice]
        incomplete = []
        try:
            for server in self._servers:
                server.logSummary(self._logTimeout)
        except TimeoutError as error:
            incomplete = [f"the log is incomplete: {error}"]
        return "\n".join([*faults, *self._log.lines, *incomplete])

    def close(self) -> None:
        """
        Close all servers.

        @raise AssertionError: the first mismatch of a server that C{check} or C{wait} has not raised.
        """
        servers = self._servers.copy()
        self._servers.clear()
        with self._cleanups:
            for server in servers:
                server.check()


def _responder(service: str | os.PathLike[str] | Service) -> Service:
    if isinstance(service, os.PathLike) or (isinstance(service, str) and service.endswith(SUFFIX)):
        return loadScript(service)
    if isinstance(service, str):
        try:
            return _find(service)
        except LookupError as error:
            raise ValueError(str(error)) from None
    if not callable(service):
        raise ValueError(
            f"{service!r}: expected the name of a service, a Responder class, or a callable that returns a Responder"
        )
    try:
        checkMaker(service)
        if not (isinstance(service, type) or isCoroutineService(service)):
            checkMade(service, _sample(service))
    except ResponderTypeError as error:
        raise ValueError(str(error)) from None
    return service


def _sample(make: Any) -> object:
    """
    Make a responder for a conversation that has no peer.
    """
    try:
        return make(Conversation())
    except Exception as error:
        raise ResponderTypeError(f"{serviceName(make)}() raised {error!r}, expected a Responder") from error


def _checkPort(port: object, transport: Transport) -> None:
    if not transport.isInet:
        raise ValueError(f"port {port!r}: expected none with {transport}, which has no ports")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= MAX_PORT:
        raise ValueError(f"port {port!r}: expected 0 to {MAX_PORT}")

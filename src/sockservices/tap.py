"""
The command C{twistd sockservices}: its options, and the server that they ask for.
"""

from __future__ import annotations

import atexit
import os
import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from pwd import getpwuid
from typing import Any

from twisted.internet.selectreactor import SelectReactor

from sockservices.admission.census import Census
from sockservices.conversation.policy import Policy
from sockservices.monitoring.log import logObserver
from sockservices.monitoring.recorders import VisitLog
from sockservices.monitoring.trace import DatagramTrace, StreamTrace
from sockservices.server.listener import ListenerService
from sockservices.server.options import Listener, Options, refuse
from sockservices.server.services import datagramService, streamService
from sockservices.server.signals import Signals
from sockservices.server.supervisor import Server
from sockservices.transports.bindings import SystemdBinding
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint
from sockservices.transports.sockets import openSockets

__all__ = ["Options", "affordable", "makeService"]

#: Descriptors kept for other things than connections, so that accept(2) never runs out of them.
RESERVED = 64


def makeService(options: Options, reactor: Any = None) -> Server:
    """
    Open every socket that the options ask for: before a fork, with all privileges, and all of them or none.

    @param reactor: by default the global one, and with it the signals of this process.
    @raise SystemExit: with one line that names address and cause, when a socket cannot be opened.
    """
    command = reactor is None
    if command:
        reactor = _globalReactor()
    _check(options.twistd)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    policy = affordable(options.policy, min(files, 1024) if isinstance(reactor, SelectReactor) else files)
    visitLog = VisitLog(reactor, reactor.seconds)
    services = _opened(options, policy, visitLog, reactor)
    try:
        observer = _observer(options)
    except SystemExit:
        _close(services)
        raise
    server = Server(reactor, services, visitLog, observer, _groups(options))
    if policy.maxConnections < options.policy.maxConnections != Policy().maxConnections:
        server.remark = f"at most {policy.maxConnections} connections: no more than {files} files may be open"
    if command:
        # Should the process end before it has begun to serve, no file of a Unix socket is left.
        atexit.register(_close, services)
        reactor.callWhenRunning(Signals(reactor, server.cut, policy.drain).install)
    return server


def _opened(options: Options, policy: Policy, visitLog: VisitLog, reactor: Any) -> list[ListenerService]:
    """
    The services of all listeners, their sockets open.
    """
    census = Census()
    services: list[ListenerService] = []
    for listener in options.listeners:
        try:
            for service in _services(listener, options, policy, visitLog, census, reactor):
                services.append(service)
                service.open()
                _narrow(listener, service)
        except Exception as fault:
            _close(services)
            refuse(f"{listener.option}: {fault}")
    return services


def _close(services: list[ListenerService]) -> None:
    """
    Close what is open and has not started.
    """
    for service in services:
        service.close()


def _check(twistd: Mapping[str, Any]) -> None:
    """
    Refuse what twistd itself would find wrong only later, in a traceback, with every socket open.
    """
    uid, pidfile = twistd.get("uid"), twistd.get("pidfile")
    if pidfile and not Path(pidfile).parent.is_dir():
        refuse(f"--pidfile {pidfile}: there is no such folder")
    if uid is not None:
        try:
            getpwuid(uid)
        except KeyError:
            refuse(f"--uid {uid}: there is no such user")


def _narrow(listener: Listener, service: ListenerService) -> None:
    """
    Twisted's own endpoints listen on every interface unless they are told otherwise. Here nobody is heard by oversight.

    @raise ValueError: when one has not been told.
    """
    if isinstance(listener.endpoint, str) and "interface=" not in listener.endpoint and service.port is not None:
        host = getattr(service.port.getHost(), "host", None)
        if host in ("0.0.0.0", "::"):
            raise ValueError("it would listen on every interface; say :interface=127.0.0.1, or which one is meant")


def _globalReactor() -> Any:
    """
    The reactor of this process, before its first timer, with a clock that nobody sets back or forth.
    """
    from twisted.internet import reactor

    reactor.seconds = time.monotonic  # type: ignore[method-assign]
    return reactor


def _groups(options: Options) -> list[int] | None:
    """
    The groups that are left when a group has been asked for, but no user.
    """
    uid, gid = options.twistd.get("uid"), options.twistd.get("gid")
    return [gid] if gid is not None and uid is None and os.geteuid() == 0 else None


def _observer(options: Options) -> Any:
    """
    Where the log goes; L{None} where that is not for us to say.
    """
    twistd = options.twistd
    if not twistd or twistd.get("logger"):
        if options["log-format"] != "text":
            refuse(f"--log-format {options['log-format']}: the --logger of twistd has a format of its own")
        return None
    try:
        return logObserver(options["log-format"], twistd)
    except (OSError, ValueError) as fault:
        refuse(f"--logfile {twistd['logfile']}: {fault}")


def affordable(policy: Policy, files: int) -> Policy:
    """
    A policy with no more connections than there are descriptors.

    @param files: how many files the process may have open.
    """
    if files == resource.RLIM_INFINITY:
        return policy
    most = max(1, files - RESERVED)
    return replace(policy, maxConnections=min(policy.maxConnections or most, most))


def _services(
    listener: Listener, options: Options, policy: Policy, visitLog: VisitLog, census: Census, reactor: Any
) -> Iterator[ListenerService]:
    """
    The services of a listener: one, or as many as the service manager has sockets for it.
    """
    responder, binding, plain = listener.responder, listener.endpoint, bool(options["plain"])
    common: dict[str, Any] = {"reactor": reactor, "policy": policy, "census": census}
    streams, datagrams = dict(common, record=visitLog), dict(common)
    if options["show"]:
        streams["layers"] = [partial(StreamTrace, service=responder.name)]
        datagrams["layers"] = [partial(DatagramTrace, service=responder.name)]
    if isinstance(binding, str):
        yield streamService(binding, responder, **streams)
    elif isinstance(binding, SystemdBinding):
        for opened in openSockets(binding):
            if opened.stream:
                yield streamService(StreamEndpoint(reactor, binding, opened, plain), responder, **streams)
            else:
                yield datagramService(DatagramEndpoint(reactor, binding, opened), responder, **datagrams)
    elif binding.stream:
        yield streamService(StreamEndpoint(reactor, binding, plain=plain), responder, **streams)
    else:
        yield datagramService(DatagramEndpoint(reactor, binding), responder, **datagrams)

"""
A worker: a process that serves the sockets of its supervisor.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
from dataclasses import replace
from functools import partial
from typing import IO, Any, cast

from twisted.logger import FileLogObserver, globalLogBeginner
from twisted.python.usage import UsageError

from sockservices.conversation.responder import serviceName
from sockservices.monitoring.background_writer import BackgroundWriter
from sockservices.monitoring.log import droppedEvent, jsonLine, ownLines
from sockservices.server.build import ListenError, buildServer
from sockservices.server.config import ListenerConfig, ServerConfig
from sockservices.server.global_reactor import globalReactor
from sockservices.server.worker_command import CHECK
from sockservices.transports.sockets import BoundSocket
from sockservices.transports.twisted_endpoints import twistedEndpoint
from sockservices.workers.command_pipe import CommandPipe
from sockservices.workers.descriptors import ABORT, COMMANDS, COUNTERS, JOURNAL, MESSAGES, RETIRE, SOCKETS, STOP
from sockservices.workers.journal import WorkerJournal
from sockservices.workers.settings import WorkerSettings
from sockservices.workers.shared_census import SharedCensus
from sockservices.workers.shared_counters import SharedCounters
from sockservices.workers.worker_options import WorkerOptions
from sockservices.workers.worker_server import WorkerServer

__all__ = ["main"]

#: prctl(2): the signal that the kernel sends when the parent process ends.
PR_SET_PDEATHSIG = 1


def main() -> None:
    """
    Serve until a command of the supervisor, or its end; or check the options and exit.
    """
    try:
        if sys.argv[1] == CHECK:
            _checkOptions(sys.argv[2:])
        else:
            _serve(WorkerSettings(**json.loads(sys.argv[1])), sys.argv[2:])
    except (ListenError, UsageError) as error:
        # The supervisor reports the last line.
        sys.exit(" ".join(str(error).split()))


def _checkOptions(arguments: list[str]) -> None:
    """
    Read the options, and the scripts, keys and certificates that they name.
    """
    options = WorkerOptions()
    options.parseOptions(arguments)
    for listener in options.config.listeners:
        if isinstance(listener.binding, str):
            try:
                twistedEndpoint(globalReactor(), listener.binding)
            except ValueError as error:
                raise ListenError(f"{listener.origin}: {error}") from error


def _serve(settings: WorkerSettings, arguments: list[str]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # Where the module of a reactor has no install(), Twisted chooses the reactor.
    getattr(importlib.import_module(settings.reactor), "install", lambda: None)()
    reactor = globalReactor()
    server = _openServer(settings, arguments, reactor)
    os.set_inheritable(MESSAGES, False)
    out = BackgroundWriter(MESSAGES, lambda count: jsonLine(droppedEvent(count)))
    out.runWith(reactor)
    server.send = lambda message: out.write(json.dumps(message) + "\n")
    server.privilegedStartService()
    server.startService()
    # Without the lines of the start, which the supervisor logs once for all workers.
    observer: Any = ownLines(FileLogObserver(cast(IO[Any], out), jsonLine))
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)
    _run(server, reactor)


def _ignoreSignals() -> None:
    """
    Ignore the signals that a terminal or a service manager sends to all processes: the supervisor acts on them. It has
    blocked them for the start of this process.
    """
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def _openServer(settings: WorkerSettings, arguments: list[str], reactor: Any) -> WorkerServer:
    """
    Build the server over the sockets that the supervisor has opened.
    """
    counters = SharedCounters(COUNTERS)
    os.close(COUNTERS)
    options = WorkerOptions()
    options.parseOptions(arguments)
    descriptors = settings.descriptors
    config = options.config.capToDescriptorLimit(resource.RLIM_INFINITY if descriptors is None else descriptors)
    config = replace(config, listeners=_listeners(config, settings), portsFile="", seed=settings.seed)
    opened: dict[int, list[BoundSocket]] = {}
    for descriptor, (number, inherits, watched) in enumerate(settings.sockets, SOCKETS):
        inherited = socket.socket(fileno=descriptor)
        inherited.set_inheritable(False)
        bound = BoundSocket(inherited, connectionsInheritOobInline=inherits, shared=True, watched=watched)
        opened.setdefault(number, []).append(bound)
    census = SharedCensus(counters, settings.slot, settings.worker, config.trusted)
    if config.journal:
        os.set_inheritable(JOURNAL, False)
    journal = partial(WorkerJournal, descriptor=JOURNAL, number=settings.worker)
    server = buildServer(config, reactor, census, opened, WorkerServer, journal)
    assert isinstance(server, WorkerServer)
    return server


def _listeners(config: ServerConfig, settings: WorkerSettings) -> tuple[ListenerConfig, ...]:
    """
    The listeners of the supervisor. Since its start, C{--service all} may have got other services.

    @raise ListenError: if there is a listener for which this process has no configuration.
    """
    listeners = tuple(each for each in config.listeners if serviceName(each.service) in settings.services)
    if [serviceName(each.service) for each in listeners] != settings.services:
        raise ListenError("the services have changed: restart the server")
    return listeners


def _run(server: WorkerServer, reactor: Any) -> None:
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            server.stopService().addBoth(lambda _: reactor.stop())

    def abort() -> None:
        server.abortAll()
        stop()

    # The reactor installs its own actions when it starts.
    reactor.callWhenRunning(_ignoreSignals)
    CommandPipe(reactor, COMMANDS, {RETIRE: lambda: server.retire(stop), STOP: stop, ABORT: abort})
    reactor.run()
    # The queue of messages may have been full when the server stopped.
    server.logTotals()


if __name__ == "__main__":
    main()

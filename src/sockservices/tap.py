"""
What C{twistd} calls for C{twistd sockservices}.
"""

from __future__ import annotations

import atexit
import resource
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.internet.selectreactor import SelectReactor

from sockservices.conversation.policy import Policy
from sockservices.faults.draws import randomSeed
from sockservices.monitoring.journal_file import JournalFile
from sockservices.monitoring.log import ownLines
from sockservices.server.build import ListenError, buildServer
from sockservices.server.config import ServerConfig
from sockservices.server.global_reactor import globalReactor
from sockservices.server.options import Options
from sockservices.server.signals import Signals, blockedSignals
from sockservices.server.start_trial import keptGroups
from sockservices.server.supervisor import Supervisor
from sockservices.server.twistd import exitWithError, twistdObserver
from sockservices.workers.journal import SharedJournal
from sockservices.workers.worker_supervisor import WorkerSupervisor

__all__ = ["Options", "makeService"]

#: The maximum number of descriptors that select(2) can wait for.
FD_SETSIZE = 1024


def makeService(options: Options, reactor: Any = None) -> Supervisor:
    """
    Open every socket that the options ask for, all or none: before a fork, and with all privileges of the process.

    @param reactor: by default the global one, and with it the signals of this process.
    @raise SystemExit: with one line that names address and cause, when a socket cannot be opened.
    """
    command = reactor is None
    if command:
        reactor = globalReactor()
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    limit = min(descriptors, FD_SETSIZE) if isinstance(reactor, SelectReactor) else descriptors
    config = options.config.capToDescriptorLimit(limit)
    with blockedSignals() if command else nullcontext():
        server = _openServer(config, options, reactor, limit)
        if command:
            # A process that ends before it has begun to serve leaves no file of a Unix socket.
            atexit.register(server.close)
            signals = Signals(reactor, server.abortAll, config.drain, server.logTotals, server.reload)
            signals.hold()
            reactor.callWhenRunning(signals.install)
    asked, possible = (each.listeners[0].policy.maxConnections for each in (options.config, config))
    if possible < asked != Policy().maxConnections:
        server.startupWarning = f"--max-connections {asked}: {possible} are possible with {descriptors} open files"
    return server


def _openServer(config: ServerConfig, options: Options, reactor: Any, descriptors: int) -> Supervisor:
    """
    Open the sockets, and then the log.

    @param descriptors: how many the process may have open.
    """
    makeSupervisor: Callable[..., Supervisor] = Supervisor
    makeJournal = JournalFile
    if config.workers > 1:
        config = replace(config, seed=randomSeed() if config.seed is None else config.seed)
        makeSupervisor = partial(WorkerSupervisor, config=config, arguments=options.arguments, descriptors=descriptors)
        makeJournal = SharedJournal
    try:
        server = buildServer(config, reactor, makeSupervisor=makeSupervisor, makeJournal=makeJournal)
    except ListenError as error:
        exitWithError(str(error))
    try:
        observer = twistdObserver(config.logFormat, options.twistd, reactor)
        server.observer = ownLines(observer) if options.ownLinesOnly else observer
    except SystemExit:
        server.close()
        raise
    server.groups = keptGroups(options.twistd)
    return server

"""
All listeners of a server together, from ready to stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, Logger
from twisted.python.log import ILogObserver as ILegacyObserver

from sockservices.admission.census import Census
from sockservices.monitoring.journal_file import JournalFile
from sockservices.monitoring.limit_log import LimitLog
from sockservices.monitoring.recorders import VisitLog
from sockservices.monitoring.totals import logTotals
from sockservices.server.limits_notice import limitsNotice
from sockservices.server.listener import ListenerService
from sockservices.server.ports_file import PortsFile
from sockservices.server.sd_notify import SystemdNotifier
from sockservices.text.counts import counted
from sockservices.transports.reactor import Reactor

__all__ = ["Supervisor"]

log = Logger("sockservices")


class Supervisor(MultiService):
    """
    All listeners of a server, with one log.

    @ivar startupWarning: a line to log before the server is ready, or C{""}.
    @ivar faultNotice: the faults of the listeners and the seed, or C{""}.
    @ivar journal: closed when the server has stopped.
    @ivar observer: where twistd's log goes, if not where twistd sends it itself.
    @ivar groups: the groups to keep when privileges are shed, if not those that twistd keeps.
    @ivar workers: the number of processes that serve.
    @ivar reload: called on SIGHUP, or L{None} where there is nothing to reload.
    """

    startupWarning = faultNotice = ""
    journal: JournalFile | None = None
    workers = 1
    reload: Callable[[], object] | None = None
    observer: Any = None
    groups: list[int] | None = None

    def __init__(
        self,
        reactor: Reactor,
        listeners: list[ListenerService],
        visitLog: VisitLog,
        census: Census,
        portsFile: PortsFile | None = None,
        limitLog: LimitLog | None = None,
    ) -> None:
        """
        @param listeners: they become its children.
        @param visitLog: logs its last summary when the server has stopped.
        @param census: counts the conversations of the listeners.
        @param portsFile: written when the server is ready.
        @param limitLog: logs its last line when the server has stopped.
        """
        super().__init__()
        self._reactor = reactor
        self._listeners = listeners
        self._visitLog = visitLog
        self._census = census
        self._portsFile = portsFile
        self._limitLog = limitLog
        self._notify = SystemdNotifier(IReactorTime(reactor))
        for listener in listeners:
            listener.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """
        Become part of an application, and set its log observer, which twistd then uses.
        """
        super().setServiceParent(parent)
        if self.observer is not None:
            interface = ILogObserver if ILogObserver.providedBy(self.observer) else ILegacyObserver
            parent.setComponent(interface, self.observer)

    def privilegedStartService(self) -> None:
        """
        Give up supplementary groups: with --gid and without --uid, twistd keeps those of root.
        """
        super().privilegedStartService()
        self.shedGroups()

    def shedGroups(self) -> None:
        """
        Give up supplementary groups, unless twistd does.
        """
        if self.groups is not None:
            os.setgroups(self.groups)

    def startService(self) -> None:
        """
        Start, and log the start when the reactor runs: before that, a signal ends the process at once.
        """
        super().startService()
        self._reactor.callWhenRunning(self.ready)

    def ready(self) -> None:
        """
        Report that all listeners serve.
        """
        if os.geteuid() == 0:
            log.warn("running as root: drop privileges with --uid and --gid, or use a service manager")
        if self.startupWarning:
            log.warn("{limits}", limits=self.startupWarning)
        notice = limitsNotice(self._listeners, self._census.trusted)
        if notice:
            log.info("{limits}", limits=notice)
        if self.faultNotice:
            # In JSON, the field "faults" is an object: what was applied to a conversation.
            log.warn("{notice}", notice=self.faultNotice)
        listeners = [each.address for each in self._listeners if each.port is not None]
        if self._portsFile is not None:
            self._portsFile.write(listeners)
        more = f", {counted(self.workers, 'worker')}" if self.workers > 1 else ""
        log.info(
            "ready: {number}{more}", number=counted(len(self._listeners), "listener"), more=more, listeners=listeners
        )
        self._notify.ready()

    def stopService(self) -> Deferred[None]:
        """
        Stop, and log the remaining summaries and the totals.
        """
        self._notify.stopping()
        if self._portsFile is not None:
            self._portsFile.remove()
        stopped: Deferred[None] = super().stopService()
        # After stopService(), which has accepted the connections in the listen queues.
        log.info("stopping: {open}", open=counted(sum(each.connections for each in self._listeners), "connection"))
        return stopped.addBoth(self.stopped)

    def stopped(self, result: Any) -> Any:
        """
        Report what has not been logged yet: all conversations have ended.
        """
        self._visitLog.flush()
        if self._limitLog is not None:
            self._limitLog.flush()
        self.logTotals()
        if self.journal is not None:
            self.journal.close()
        self._notify.stopped()
        return result

    def logTotals(self) -> None:
        """
        Log the totals of the server.
        """
        logTotals(self._census)

    def close(self) -> None:
        """
        Close the sockets of a server that is never to start.
        """
        for listener in self._listeners:
            listener.close()

    def abortAll(self) -> None:
        """
        Reset all connections now.
        """
        for listener in self._listeners:
            listener.abortAll()

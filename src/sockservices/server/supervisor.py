"""
The running command: all listeners together, from ready to stopped.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger
from twisted.python.log import ILogObserver as ILegacyObserver

from sockservices.monitoring.recorders import VisitLog
from sockservices.server.listener import ListenerService
from sockservices.server.sd_notify import SystemdNotifier

__all__ = ["Server"]

log = Logger("sockservices")


class Server(MultiService):
    """
    All listeners of the command, with one census and one log.

    @ivar remark: what is to be said of them before they are ready.
    """

    remark = ""

    def __init__(
        self,
        reactor: Any,
        listeners: list[ListenerService],
        visitLog: VisitLog,
        observer: Any = None,
        groups: list[int] | None = None,
    ) -> None:
        """
        @param observer: where twistd's log is to go, if not where it goes by itself.
        @param groups: the groups to keep, if not those that twistd keeps.
        """
        super().__init__()
        self._reactor = reactor
        self._listeners = listeners
        self._visitLog = visitLog
        self._observer = observer
        self._groups = groups
        self._notify = SystemdNotifier(reactor)
        for listener in listeners:
            listener.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """
        Become part of an application, which is where twistd looks for another log than its own.
        """
        super().setServiceParent(parent)
        if self._observer is not None:
            interface = ILogObserver if ILogObserver.providedBy(self._observer) else ILegacyObserver
            parent.setComponent(interface, self._observer)

    def privilegedStartService(self) -> None:
        """
        Give up what twistd does not: told a group but no user, it keeps root's further groups.
        """
        super().privilegedStartService()
        if self._groups is not None:
            os.setgroups(self._groups)

    def startService(self) -> None:
        """
        Start, and say so once the reactor runs: a signal that comes before still ends the process the hard way.
        """
        super().startService()
        self._reactor.callWhenRunning(self._ready)

    def _ready(self) -> None:
        if os.geteuid() == 0:
            log.warn("running as root: twistd --uid and --gid, or a service manager, would give that up")
        if self.remark:
            log.warn("{remark}", remark=self.remark)
        log.info("ready: {count} listeners", count=len(self._listeners))
        self._notify.ready()

    def stopService(self) -> Deferred[None]:
        """
        Stop, and leave nothing untold.
        """
        self._notify.stopping()
        stopped: Deferred[None] = super().stopService()
        # Only now: those that waited to be accepted have been.
        log.info("stopping: {count} connections", count=sum(each.connections for each in self._listeners))
        return stopped.addBoth(self._stopped)

    def _stopped(self, result: Any) -> Any:
        self._visitLog.flush()
        self._notify.stopped()
        return result

    def cut(self) -> None:
        """
        End all conversations now.
        """
        for listener in self._listeners:
            listener.cut()

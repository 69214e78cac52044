"""
The server of one worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from sockservices.server.supervisor import Supervisor
from sockservices.transports.listening_port import ListeningPort
from sockservices.transports.stream_port import StreamPort
from sockservices.workers.shared_census import SharedCensus
from sockservices.workers.totals import totalsOf

__all__ = ["HEARTBEAT_INTERVAL", "WorkerServer"]

#: Seconds between two messages with the totals, which also show that the worker does not hang, and between two reads of
#: all sockets.
HEARTBEAT_INTERVAL = 0.5

#: Seconds between two checks whether the last connection of a retired worker has ended.
RETIRED_INTERVAL = 0.1


class WorkerServer(Supervisor):
    """
    The listeners of one worker. It sends its state and its totals to the supervising process, which logs them for all
    workers.

    @ivar send: sends a message to the supervising process.
    """

    send: Callable[[dict[str, Any]], object]
    _census: SharedCensus

    def __init__(self, reactor: Any, *args: Any) -> None:
        super().__init__(reactor, *args)
        self._heartbeat = LoopingCall(self._beat)
        self._retirement = LoopingCall(self._stopIfUnused)
        self._heartbeat.clock = self._retirement.clock = IReactorTime(reactor)
        self._onUnused: Callable[[], object] | None = None

    def ready(self) -> None:
        """
        Send that all listeners serve, and from now on the totals.
        """
        for listener in self._listeners:
            if isinstance(listener.port, StreamPort):
                listener.port.excess = self._census.excess
        self._census.setAccepting(True)
        self.send({"ready": True})
        self._heartbeat.start(HEARTBEAT_INTERVAL)

    def _beat(self) -> None:
        """
        Send the totals, and read all sockets: the worker that the kernel has woken for a connection may have ended or
        hung before it accepted it.
        """
        self.logTotals()
        if self._onUnused is None:
            for port in self._openPorts():
                port.doRead()

    def _openPorts(self) -> list[ListeningPort]:
        ports: list[object] = [listener.port for listener in self._listeners]
        return [port for port in ports if isinstance(port, ListeningPort) and port.connected]

    def logTotals(self) -> None:
        """
        Send the totals.
        """
        leftOut = (0, 0) if self.journal is None else (self.journal.leftOut, self.journal.leftOutBytes)
        self.send({"totals": totalsOf(self._census) | {"leftOut": leftOut}})

    def retire(self, unused: Callable[[], object]) -> None:
        """
        Serve what is queued, then stop listening. Open connections go on. A socket for datagrams stays open for replies
        that come later, and is not read: other workers read the datagrams in its queue.

        @param unused: called when the last connection has ended, and the last reply has been sent.
        """
        if self._onUnused is None:
            self._onUnused = unused
            self._census.setAccepting(False)
            for listener in self._listeners:
                if listener.pendingReplies:
                    self._reactor.removeReader(listener.port)
                elif listener.port is not None:
                    listener.port.stopListening()
            self._retirement.start(RETIRED_INTERVAL)

    def _stopIfUnused(self) -> None:
        if not any(listener.connections or listener.pendingReplies for listener in self._listeners):
            self._retirement.stop()
            for port in self._openPorts():
                # It closes the socket without another read.
                port.connectionLost(Failure(ConnectionLost()))
            assert self._onUnused is not None
            self._onUnused()

    def stopService(self) -> Deferred[None]:
        """
        Stop. The supervising process logs it.
        """
        if self._retirement.running:
            self._retirement.stop()
        stopped: Deferred[None] = MultiService.stopService(self)
        return stopped.addBoth(self.stopped)

    def stopped(self, result: Any) -> Any:
        """
        Send the totals for the last time.
        """
        if self._heartbeat.running:
            self._heartbeat.stop()
        return super().stopped(result)

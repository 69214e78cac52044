"""
Runs one server under one workload, and measures its cost.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu_quota import cpuQuota
from benchmarks.peers import Peer
from benchmarks.processes import chooseCores, cpuClock, cpuSeconds, memoryKiB, pinnedTo
from benchmarks.server import RunError, Server
from benchmarks.workloads import Workload

__all__ = ["PINNED", "Benchmark", "Deployment", "Run"]


@dataclass(frozen=True)
class Deployment:
    """
    How the server of a run is started.

    @ivar workers: the number of its workers, processes or threads.
    @ivar quota: the processor time that each worker may use per second, in seconds; L{None} is no limit.
    @ivar pinned: whether the server and the load generator are each pinned to a core of their own.
    """

    workers: int
    quota: float | None
    pinned: bool

    @property
    def name(self) -> str:
        """
        The workers and the quota; empty if the server is pinned.
        """
        if self.pinned:
            return ""
        quota = "" if self.quota is None else f", quota {self.quota:.0%}"
        return f"{self.workers} worker{'s' * (self.workers > 1)}{quota}"


#: The deployment in which servers are compared by their processor time.
PINNED = Deployment(workers=1, quota=None, pinned=True)


@dataclass(frozen=True, kw_only=True)
class Run:
    """
    The result of one run. A unit is a message, a KiB of a stream, or a connection.

    @ivar round: the number of the round, from 1.
    @ivar units: how many units were completed.
    @ivar cpu: processor time of the server per unit, in microseconds.
    @ivar rate: units per second.
    @ivar p50: the median latency, in microseconds; L{None} if the workload has no messages.
    @ivar p99: the 99th percentile of the latency, in microseconds, or L{None}.
    @ivar memory: resident memory of the server, in KiB; in the idle workload, its growth per connection.
    @ivar lost: datagrams without a reply, or connections that failed.
    @ivar idle: processor time per second while nothing happens, in microseconds, if measured.
    @ivar workers: the number of the server's workers.
    @ivar quota: the limit of the processor time of each worker, in seconds per second, if there is one.
    @ivar leastShare: the processor time of the worker that used the least, in seconds per second, if the workers are
        processes and not pinned.
    @ivar mostShare: that of the worker that used the most.
    @ivar loadShare: the processor time of the load generator, in seconds per second.
    """

    workload: str
    peer: str
    round: int
    units: float
    cpu: float
    rate: float
    p50: float | None
    p99: float | None
    memory: float
    lost: int
    idle: float | None = None
    workers: int = 1
    quota: float | None = None
    leastShare: float | None = None
    mostShare: float | None = None
    loadShare: float | None = None

    @property
    def cost(self) -> float:
        """
        What servers are compared by: processor time per unit, or the memory of an idle connection.
        """
        return self.cpu if self.idle is None else self.memory


class Benchmark:
    """
    Runs servers and the load generator.

    @ivar cores: the core of the server and that of the load generator; L{None} if they are not pinned, as on a machine
        with one core.
    """

    def __init__(self, folder: Path, seconds: float, deployment: Deployment = PINNED) -> None:
        """
        @param folder: the folder of the compiled programs.
        @param seconds: the duration of a run.
        @param deployment: how servers are started.
        """
        self.folder = folder
        self.seconds = seconds
        self.deployment = deployment
        self.cores = chooseCores() if deployment.pinned else None

    def run(self, workload: Workload, peer: Peer, number: int) -> Run:
        """
        Start the server and the load generator, and measure the server.

        @param number: the number of the round.
        @raise RunError: if the server does not start, or sends a wrong reply.
        """
        serverCore, loadCore = self.cores or (None, None)
        workers, quota = self.deployment.workers, self.deployment.quota
        with ExitStack() as stack:
            server = stack.enter_context(Server(peer, workload.service, self.folder, serverCore, workers))
            areProcesses = peer.workers == "processes" and not self.deployment.pinned
            pids = server.workers(workers) if areProcesses else []
            if quota is not None:
                for pid in pids or [server.pid]:
                    stack.enter_context(cpuQuota(pid, quota * workers / max(1, len(pids))))
            with pinnedTo(loadCore):
                load = subprocess.Popen(
                    [str(self.folder / "load"), *workload.arguments(server.port, self.seconds)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            try:
                return self._measure(workload, peer, number, server, load, pids)
            finally:
                load.kill()
                load.communicate()

    def _measure(
        self,
        workload: Workload,
        peer: Peer,
        number: int,
        server: Server,
        load: subprocess.Popen[str],
        workers: Sequence[int],
    ) -> Run:
        assert load.stdin
        assert load.stdout
        assert load.stderr
        warmedUp = load.stdout.readline()
        cpuBefore, memoryBefore = cpuSeconds(server.pid), memoryKiB(server.pid)
        clocksBefore = [cpuClock(pid) for pid in (load.pid, *workers)] if warmedUp else []
        if warmedUp:
            load.stdin.write("\n")
            load.stdin.flush()
        line = load.stdout.readline()
        if not line:
            raise RunError(f"{load.stderr.read().strip() or 'the load generator timed out'} ({server.lastOutput})")
        clocks = [cpuClock(pid) for pid in (load.pid, *workers)]
        cpu, memory = cpuSeconds(server.pid) - cpuBefore, memoryKiB(server.pid)
        result = json.loads(line)
        loadShare, *shares = (
            (after - before) / result["seconds"] for before, after in zip(clocksBefore, clocks, strict=True)
        )
        units = workload.units(result["messages"], result["bytes"])
        if not units:
            raise RunError("no reply")
        idle = workload.kind == "idle"
        return Run(
            workload=workload.name,
            peer=peer.name,
            round=number,
            units=units,
            cpu=cpu / units * 1e6,
            rate=units / result["seconds"],
            p50=result["p50"],
            p99=result["p99"],
            memory=(memory - memoryBefore) / units if idle else memory,
            lost=result["lost"],
            idle=self._idleCpu(server) if idle else None,
            workers=self.deployment.workers,
            quota=self.deployment.quota,
            leastShare=min(shares, default=None),
            mostShare=max(shares, default=None),
            loadShare=loadShare,
        )

    def _idleCpu(self, server: Server) -> float:
        """
        Measure the processor time of an idle server, in microseconds per second.
        """
        before, started = cpuSeconds(server.pid), time.monotonic()
        time.sleep(self.seconds)
        return (cpuSeconds(server.pid) - before) / (time.monotonic() - started) * 1e6

"""
Runs one server under one workload, and measures its cost.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Peer
from benchmarks.processes import chooseCores, cpuSeconds, memoryKiB, pinnedTo
from benchmarks.server import RunError, Server
from benchmarks.workloads import Workload

__all__ = ["Benchmark", "Run"]


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

    @property
    def cost(self) -> float:
        """
        What servers are compared by: processor time per unit, or the memory of an idle connection.
        """
        return self.cpu if self.idle is None else self.memory


class Benchmark:
    """
    Runs servers and the load generator, each on a core of its own.

    @ivar cores: the core of the server and that of the load generator; L{None} on a machine with one core.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        """
        @param folder: the folder of the compiled programs.
        @param seconds: the duration of a run.
        """
        self.folder = folder
        self.seconds = seconds
        self.cores = chooseCores()

    def run(self, workload: Workload, peer: Peer, number: int) -> Run:
        """
        Start the server and the load generator, and measure the server.

        @param number: the number of the round.
        @raise RunError: if the server does not start, or sends a wrong reply.
        """
        serverCore, loadCore = self.cores or (None, None)
        with Server(peer, workload.service, self.folder, serverCore) as server:
            with pinnedTo(loadCore):
                load = subprocess.Popen(
                    [str(self.folder / "load"), *workload.arguments(server.port, self.seconds)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            try:
                return self._measure(workload, peer, number, server, load)
            finally:
                load.kill()
                load.communicate()

    def _measure(self, workload: Workload, peer: Peer, number: int, server: Server, load: subprocess.Popen[str]) -> Run:
        assert load.stdin
        assert load.stdout
        assert load.stderr
        warmedUp = load.stdout.readline()
        cpuBefore, memoryBefore = cpuSeconds(server.pid), memoryKiB(server.pid)
        if warmedUp:
            load.stdin.write("\n")
            load.stdin.flush()
        line = load.stdout.readline()
        if not line:
            raise RunError(f"{load.stderr.read().strip() or 'the load generator timed out'} ({server.lastOutput})")
        cpu, memory = cpuSeconds(server.pid) - cpuBefore, memoryKiB(server.pid)
        result = json.loads(line)
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
        )

    def _idleCpu(self, server: Server) -> float:
        """
        Measure the processor time of an idle server, in microseconds per second.
        """
        before, started = cpuSeconds(server.pid), time.monotonic()
        time.sleep(self.seconds)
        return (cpuSeconds(server.pid) - before) / (time.monotonic() - started) * 1e6

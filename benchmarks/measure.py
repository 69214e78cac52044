"""
One run: a server, the load, and what it cost.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Peer
from benchmarks.processes import cores, cpu, memory, pinned
from benchmarks.server import RunError, Server
from benchmarks.workloads import Workload

__all__ = ["Bench", "Run"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """
    What one run found.

    @ivar cpu: microseconds of processor time a unit: a message, a KiB of a stream, or a connection.
    @ivar rate: units a second.
    @ivar p50: microseconds in which half of the messages were answered; L{None} where there are no messages.
    @ivar memory: KiB of the server; of a workload that keeps connections, by which it grew for each.
    @ivar lost: datagrams without an answer, or connections that failed.
    @ivar idle: microseconds of processor time a second while nothing happens, if that was measured.
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


class Bench:
    """
    Where runs are made.

    @ivar cores: the server's and the load's, if there are two.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        """
        @param folder: where the programs in C are.
        @param seconds: how long a load lasts.
        """
        self.folder = folder
        self.seconds = seconds
        self.cores = cores()

    def run(self, workload: Workload, peer: Peer, number: int) -> Run:
        """
        Make one run.

        @raise RunError: when the server cannot be started, or does not answer as it should.
        """
        serverCore, loadCore = self.cores or (None, None)
        with Server(peer, workload.service, self.folder, serverCore) as server:
            with pinned(loadCore):
                load = subprocess.Popen(
                    [str(self.folder / "load"), *workload.arguments(server.port, self.seconds)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            try:
                return self._measured(workload, peer, number, server, load)
            finally:
                load.kill()
                load.communicate()

    def _measured(
        self, workload: Workload, peer: Peer, number: int, server: Server, load: subprocess.Popen[str]
    ) -> Run:
        assert load.stdin
        assert load.stdout
        assert load.stderr
        begin = load.stdout.readline()
        cpuBefore, memoryBefore = cpu(server.pid), memory(server.pid)
        if begin:
            load.stdin.write("\n")
            load.stdin.flush()
        line = load.stdout.readline()
        if not line:
            raise RunError(f"{load.stderr.read().strip() or 'the load took too long'} ({server.lastWords})")
        spent, held = cpu(server.pid) - cpuBefore, memory(server.pid)
        found = json.loads(line)
        units = workload.units(found["messages"], found["bytes"])
        if not units:
            raise RunError("nothing was answered")
        keeps = workload.kind == "idle"
        return Run(
            workload=workload.name,
            peer=peer.name,
            round=number,
            units=units,
            cpu=spent / units * 1e6,
            rate=units / found["seconds"],
            p50=found["p50"],
            p99=found["p99"],
            memory=(held - memoryBefore) / units if keeps else held,
            lost=found["lost"],
            idle=self._idle(server) if keeps else None,
        )

    def _idle(self, server: Server) -> float:
        """
        The microseconds of processor time in a second of nothing.
        """
        before, began = cpu(server.pid), time.monotonic()
        time.sleep(self.seconds)
        return (cpu(server.pid) - before) / (time.monotonic() - began) * 1e6

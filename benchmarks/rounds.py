"""
Runs servers and workloads in turn, in rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.measure import Benchmark, Run
from benchmarks.peers import Peer
from benchmarks.progress import progress
from benchmarks.server import RunError
from benchmarks.workloads import Workload

__all__ = ["REMAINING_RUNS", "Case", "runAll"]

#: The name under which the report lists the runs that an interrupt has prevented.
REMAINING_RUNS = "remaining runs"


class Case(NamedTuple):
    """
    What is run once in each round.
    """

    benchmark: Benchmark
    workload: Workload
    peer: Peer

    @property
    def name(self) -> str:
        """
        The workload, the server, and its deployment if it is not the usual one.
        """
        return " ".join(filter(None, [self.workload.name, self.peer.name, self.benchmark.deployment.name]))

    @property
    def exclusion(self) -> str | None:
        """
        The reason not to run it; L{None} if there is none.
        """
        return self.peer.exclusion(self.workload, self.benchmark.deployment.workers)


def runAll(cases: Iterable[Case], rounds: int, unmeasured: dict[str, str]) -> list[Run]:
    """
    Run every case in every round. A case that has failed is not run again. Ctrl-C ends the comparison and keeps its
    results.

    @param unmeasured: receives the reasons of runs that were not measured.
    """
    possible = []
    for case in cases:
        if reason := case.exclusion:
            unmeasured[f"{case.workload.name} {case.peer.name}"] = reason
        else:
            possible.append(case)
    runs: list[Run] = []
    try:
        with progress(len(possible) * rounds) as shown:
            for number in range(1, rounds + 1):
                for case in possible:
                    title = f"round {number} {case.name}"
                    shown.started(title)
                    try:
                        if case.name in unmeasured:
                            raise RunError(unmeasured[case.name])
                        runs.append(case.benchmark.run(case.workload, case.peer, number))
                        shown.ended(title, f"{runs[-1].cpu:.2f} us/{case.workload.unit}")
                    except RunError as error:
                        unmeasured[case.name] = str(error)
                        shown.ended(title, f"not measured: {error}", failed=True)
    except KeyboardInterrupt:
        unmeasured[REMAINING_RUNS] = "interrupted"
    return runs

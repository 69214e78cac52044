"""
Servers with one and with two workers: how they are started, and how their rate grows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cpu_quota import quotaGroup
from benchmarks.measure import Deployment, Run
from benchmarks.server import RunError
from benchmarks.summary import medianOf, medianRatio
from benchmarks.workloads import Workload

__all__ = ["MAX_WORKERS", "QUOTAS", "Scaling", "deployments", "quotaExclusion", "summarizeWorkers"]

#: The higher number of workers.
MAX_WORKERS = 2

#: The quota of each worker, by the unit of the workload. Two workers and the load generator together use less than two
#: cores, and the load generator less than one. A connection takes more of its time than a message.
QUOTAS = {"message": 0.25, "connection": 0.15}


def quotaExclusion() -> str | None:
    """
    Tell why this process cannot set quotas; L{None} if it can.
    """
    try:
        with quotaGroup(f"benchmarks-{os.getpid()}", QUOTAS["message"]):
            return None
    except RunError as error:
        return str(error)


def deployments(workload: Workload, hasQuotas: bool) -> list[Deployment]:
    """
    Make the deployments to compare under a workload: with one worker and with several, without a quota and with one.
    """
    quotas = [None, QUOTAS[workload.unit]] if hasQuotas and workload.unit in QUOTAS else [None]
    return [Deployment(workers, quota, pinned=False) for quota in quotas for workers in (1, MAX_WORKERS)]


@dataclass(frozen=True)
class Scaling:
    """
    One server under one workload and one quota. Mappings are by the number of workers. Values are medians over the
    rounds, in the units of L{Run}; ratios are those of L{MAX_WORKERS} to one worker, computed round by round.

    @ivar leastShare: the processor time of the worker that used the least, of L{MAX_WORKERS}.
    @ivar mostShare: that of the worker that used the most.
    @ivar lost: the sum over the runs.
    """

    quota: float | None
    rate: Mapping[int, float | None]
    cpu: Mapping[int, float | None]
    loadShare: Mapping[int, float | None]
    rateRatio: float | None
    cpuRatio: float | None
    leastShare: float | None
    mostShare: float | None
    lost: int


def summarizeWorkers(runs: Iterable[Run]) -> dict[str, dict[str, list[Scaling]]]:
    """
    Summarize runs by workload and server. A server has an entry per quota.
    """
    grouped: dict[str, dict[str, dict[float | None, list[Run]]]] = {}
    for run in runs:
        grouped.setdefault(run.workload, {}).setdefault(run.peer, {}).setdefault(run.quota, []).append(run)
    return {
        workload: {peer: [_scaling(quota, each) for quota, each in quotas.items()] for peer, quotas in peers.items()}
        for workload, peers in grouped.items()
    }


def _scaling(quota: float | None, runs: Sequence[Run]) -> Scaling:
    byWorkers = {number: [run for run in runs if run.workers == number] for number in (1, MAX_WORKERS)}
    one, several = byWorkers.values()
    return Scaling(
        quota=quota,
        rate={number: medianOf(run.rate for run in each) for number, each in byWorkers.items()},
        cpu={number: medianOf(run.cpu for run in each) for number, each in byWorkers.items()},
        loadShare={number: medianOf(run.loadShare for run in each) for number, each in byWorkers.items()},
        rateRatio=medianRatio(several, one, "rate"),
        cpuRatio=medianRatio(several, one, "cpu"),
        leastShare=medianOf(run.leastShare for run in several),
        mostShare=medianOf(run.mostShare for run in several),
        lost=sum(run.lost for run in runs),
    )

"""
Summarizes runs: medians over the rounds, and ratios to reference servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Run

__all__ = ["BASELINES", "Summary", "medianOf", "medianRatio", "summarize"]

#: The servers with which the others are compared.
BASELINES = ("c", "uvloop")


@dataclass(frozen=True)
class Summary:
    """
    All runs of one server under one workload: medians over the rounds, in the units of L{Run}.

    @ivar lost: the sum over the rounds.
    @ivar rounds: the number of runs.
    @ivar ratios: the cost as a multiple of each baseline's.
    """

    units: float
    cost: float
    cpu: float
    rate: float
    p50: float | None
    p99: float | None
    memory: float
    lost: int
    idle: float | None
    rounds: int
    ratios: Mapping[str, float]


def medianRatio(runs: Iterable[Run], baseline: Iterable[Run], value: str = "cost") -> float | None:
    """
    Compute the ratio of costs for each round, and take the median: the other load of the machine varies from
    round to round, and affects both servers of a round.

    @param value: the attribute of runs to compare.
    @return: L{None} if the two share no round.
    """
    values = {run.round: getattr(run, value) for run in baseline}
    ratios = [getattr(run, value) / values[run.round] for run in runs if values.get(run.round)]
    return median(ratios) if ratios else None


def medianOf(numbers: Iterable[float | None]) -> float | None:
    """
    Compute the median of the numbers that are known.

    @return: L{None} if none is.
    """
    known = [number for number in numbers if number is not None]
    return median(known) if known else None


def summarize(runs: Iterable[Run]) -> dict[str, dict[str, Summary]]:
    """
    Summarize runs by workload and server. Servers are sorted by cost, lowest first.
    """
    grouped: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        grouped.setdefault(run.workload, {}).setdefault(run.peer, []).append(run)
    return {workload: _summarizeWorkload(peers) for workload, peers in grouped.items()}


def _summarizeWorkload(peers: Mapping[str, Sequence[Run]]) -> dict[str, Summary]:
    rows = {}
    for peer, runs in peers.items():
        ratios = {name: medianRatio(runs, peers[name]) for name in BASELINES if name in peers}
        rows[peer] = Summary(
            units=median(run.units for run in runs),
            cost=median(run.cost for run in runs),
            cpu=median(run.cpu for run in runs),
            rate=median(run.rate for run in runs),
            p50=medianOf(run.p50 for run in runs),
            p99=medianOf(run.p99 for run in runs),
            memory=median(run.memory for run in runs),
            lost=sum(run.lost for run in runs),
            idle=medianOf(run.idle for run in runs),
            rounds=len(runs),
            ratios={name: ratio for name, ratio in ratios.items() if ratio is not None},
        )
    return dict(sorted(rows.items(), key=lambda row: row[1].cost))

"""
From runs to figures: medians and ratios.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Run

__all__ = ["BASES", "Figures", "figures", "ratio"]

#: The servers that the others are compared with.
BASES = ("c", "uvloop")


@dataclass(frozen=True)
class Figures:
    """
    What all runs of one server under one load found: medians over the rounds.

    @ivar ratios: its processor time a unit, as a multiple of a base's.
    """

    units: float
    cpu: float
    rate: float
    p50: float | None
    p99: float | None
    memory: float
    lost: int
    idle: float | None
    rounds: int
    ratios: Mapping[str, float]


def ratio(runs: Iterable[Run], bases: Iterable[Run]) -> float | None:
    """
    The median over the rounds of the ratio in each: rounds differ by the machine's other load, which both share.
    """
    base = {run.round: run.cpu for run in bases}
    ratios = [run.cpu / base[run.round] for run in runs if base.get(run.round)]
    return median(ratios) if ratios else None


def _median(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return median(known) if known else None


def figures(runs: Iterable[Run]) -> dict[str, dict[str, Figures]]:
    """
    The figures by workload and server, the cheapest server first.
    """
    found: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        found.setdefault(run.workload, {}).setdefault(run.peer, []).append(run)
    return {workload: _compared(peers) for workload, peers in found.items()}


def _compared(peers: Mapping[str, Sequence[Run]]) -> dict[str, Figures]:
    rows = {}
    for peer, runs in peers.items():
        ratios = {base: ratio(runs, peers[base]) for base in BASES if base in peers}
        rows[peer] = Figures(
            units=median(run.units for run in runs),
            cpu=median(run.cpu for run in runs),
            rate=median(run.rate for run in runs),
            p50=_median(run.p50 for run in runs),
            p99=_median(run.p99 for run in runs),
            memory=median(run.memory for run in runs),
            lost=sum(run.lost for run in runs),
            idle=_median(run.idle for run in runs),
            rounds=len(runs),
            ratios={base: number for base, number in ratios.items() if number is not None},
        )
    return dict(sorted(rows.items(), key=lambda row: row[1].cpu))

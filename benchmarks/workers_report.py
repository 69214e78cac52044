"""
The tables and files of the comparison of several workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.cpu_quota import PERIOD
from benchmarks.report import Report, formatNumber, formatTable, rateUnit, workloadTitle
from benchmarks.workers import MAX_WORKERS, Scaling, summarizeWorkers
from benchmarks.workloads import ALL_WORKLOADS

__all__ = ["WorkersReport", "quotaText"]

#: What the numbers mean.
METHOD = f"""\
Each server ran with 1 worker and with {MAX_WORKERS}: processes, or threads of one process (Go). No process is pinned.

* Without a quota, the server and the load generator share all cores.
* With a quota of 25%, each worker is in a cgroup of its own, which may use a quarter of each {PERIOD / 1000:g} ms.
  Threads of one process share one cgroup with {MAX_WORKERS} quotas. The load generator has no quota. A ratio is
  valid only if the least share is near the quota: otherwise something else limited the rate.
* us: processor time of all processes of the server.
* Shares of a core: least and most are those of the workers that used the least and the most, of {MAX_WORKERS} workers.
  Load is that of the load generator, which has one thread: near 100%, it limits the rate.
"""


def quotaText(quota: float | None) -> str:
    """
    Format whether there is a quota.
    """
    return "no quota" if quota is None else "with a CPU quota"


class WorkersReport(Report):
    """
    The results of servers with one and with several workers.
    """

    def summary(self) -> dict[str, dict[str, Any]]:
        """
        Summarize the runs by workload and server, for the JSON file. A server has an entry per quota.
        """
        return {
            workload: {peer: {quotaText(row.quota): asdict(row) for row in rows} for peer, rows in peers.items()}
            for workload, peers in summarizeWorkers(self.runs).items()
        }

    def tables(self) -> list[str]:
        """
        Format the tables: how the rate grows, for each quota, then one of each workload.
        """
        summaries = summarizeWorkers(self.runs)
        quotas = dict.fromkeys(quotaText(run.quota) for run in self.runs)
        return [
            METHOD,
            *(_rates(summaries, quota) for quota in quotas),
            *(workloadTitle(name) + _details(name, rows) for name, rows in summaries.items()),
        ]


def _rates(summaries: Mapping[str, Mapping[str, Sequence[Scaling]]], quota: str) -> str:
    """
    Format one table of all workloads: the rate with several workers as a multiple of that with one.
    """
    peers = {peer: None for rows in summaries.values() for peer in rows}
    ratios = {
        (name, peer): row.rateRatio
        for name, rows in summaries.items()
        for peer, found in rows.items()
        for row in found
        if quotaText(row.quota) == quota
    }
    head = [f"rate of {MAX_WORKERS} workers, 1 worker = 1; {quota}", *summaries]
    return formatTable(
        head, ([peer, *(formatNumber(ratios.get((name, peer))) for name in summaries)] for peer in peers)
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _details(name: str, peers: Mapping[str, Sequence[Scaling]]) -> str:
    """
    Format the table of one workload.
    """
    several = f"{MAX_WORKERS} workers"
    head = ["server", "quota", f"{rateUnit(name)}, 1 worker", several, "ratio"]
    head += [f"us/{ALL_WORKLOADS[name].unit}, 1 worker", several, "ratio"]
    head += ["least share", "most share", "load, 1 worker", several, "lost"]
    lines = []
    for peer, rows in peers.items():
        for row in rows:
            numbers = [*row.rate.values(), row.rateRatio, *row.cpu.values(), row.cpuRatio]
            shares = [row.leastShare, row.mostShare, *row.loadShare.values()]
            lines.append(
                [peer, _percent(row.quota), *map(formatNumber, numbers), *map(_percent, shares), str(row.lost)]
            )
    return formatTable(head, lines)

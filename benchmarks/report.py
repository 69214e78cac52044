"""
Writes the results as Markdown tables and as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Run
from benchmarks.summary import BASELINES, Summary, summarize
from benchmarks.workloads import ALL_WORKLOADS

__all__ = ["Report", "formatNumber", "formatTable", "rateUnit", "workloadTitle"]


@dataclass(frozen=True)
class Report:
    """
    The results of a comparison.

    @ivar date: when it ended, in ISO 8601.
    @ivar machine: the processor and the software versions, by name.
    @ivar settings: rounds, seconds and pinning, by name.
    @ivar unmeasured: the reasons of runs that were not measured, by C{"workload server"}.
    """

    date: str
    machine: Mapping[str, str]
    settings: Mapping[str, str | int | float]
    runs: Sequence[Run]
    unmeasured: Mapping[str, str]

    @property
    def caption(self) -> str:
        """
        The date and the machine, in one line.
        """
        return ", ".join([self.date[:10], *(_named(name, value) for name, value in self.machine.items())])

    def write(self, folder: Path) -> None:
        """
        Write C{results.json} and C{results.md}.
        """
        folder.mkdir(parents=True, exist_ok=True)
        whole = asdict(self) | {"summary": self.summary()}
        (folder / "results.json").write_text(json.dumps(whole, indent=1) + "\n")
        (folder / "results.md").write_text(self.markdown())

    def summary(self) -> dict[str, dict[str, Any]]:
        """
        Summarize the runs by workload and server, for the JSON file.
        """
        return {
            workload: {peer: asdict(row) for peer, row in peers.items()}
            for workload, peers in summarize(self.runs).items()
        }

    def tables(self) -> list[str]:
        """
        Format the tables: the comparisons with the baselines, then one of each workload.
        """
        summaries = summarize(self.runs)
        return [
            *(_comparison(summaries, name) for name in BASELINES),
            *(workloadTitle(name) + _details(name, rows) for name, rows in summaries.items()),
        ]

    def markdown(self) -> str:
        """
        Format the whole report.
        """
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        parts = [f"Measured {self.caption}; {settings}.\n", *self.tables()]
        if self.unmeasured:
            parts.append(
                "### Not measured\n\n" + "".join(f"* {run}: {reason}\n" for run, reason in self.unmeasured.items())
            )
        return "\n".join(filter(None, parts))


def _named(name: str, value: str) -> str:
    """
    Put the name before a version. The texts of processor, kernel and Python contain the name.
    """
    return value if name in {"processor", "kernel", "python"} else f"{name} {value}"


def workloadTitle(name: str) -> str:
    """
    Format the title of a workload's table.
    """
    return f"### {name}: {ALL_WORKLOADS[name].description}\n\n"


def rateUnit(name: str) -> str:
    """
    The unit of a workload's rate.
    """
    unit = ALL_WORKLOADS[name].unit
    return f"{unit}/s" if unit == "KiB" else f"{unit}s/s"


def formatTable(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    Format a table in Markdown.
    """
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def formatNumber(value: float | None) -> str:
    """
    Format three significant digits.
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _comparison(summaries: Mapping[str, Mapping[str, Summary]], baseline: str) -> str:
    """
    Format one table of all workloads: the cost of each server as a multiple of the baseline's.
    """
    names = [name for name, rows in summaries.items() if baseline in rows]
    peers = {peer: None for name in names for peer in summaries[name]}
    absolute = [f"{formatNumber(summaries[name][baseline].cost)} {ALL_WORKLOADS[name].costUnit}" for name in names]
    rows = [
        [peer, *(f"{row.ratios[baseline]:.2f}" if (row := summaries[name].get(peer)) else "-" for name in names)]
        for peer in peers
    ]
    return formatTable([f"cost, {baseline} = 1", *names], [[f"*{baseline}*", *absolute], *rows]) if names else ""


def _details(name: str, rows: Mapping[str, Summary]) -> str:
    """
    Format the table of one workload.
    """
    unit, idle = ALL_WORKLOADS[name].unit, ALL_WORKLOADS[name].kind == "idle"
    baselines = [baseline for baseline in BASELINES if baseline in rows]
    head = ["server", f"us/{unit}", *(f"x {baseline}" for baseline in baselines), rateUnit(name), "p50 us", "p99 us"]
    head += ["KiB/connection", "idle us/s", "connections"] if idle else ["memory MiB"]
    lines = []
    for peer, row in rows.items():
        ratios = [f"{row.ratios[each]:.2f}" if each in row.ratios else "-" for each in baselines]
        memory = [row.memory, row.idle, row.units] if idle else [row.memory / 1024]
        lines.append(
            [
                peer,
                formatNumber(row.cpu),
                *ratios,
                *map(formatNumber, (row.rate, row.p50, row.p99, *memory)),
                str(row.lost),
            ]
        )
    return formatTable([*head, "lost"], lines)

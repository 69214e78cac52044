"""
Draws the comparison: bar charts, and line charts of series of workloads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Report
from benchmarks.summary import BASELINES, Summary, summarize
from benchmarks.workers import MAX_WORKERS, summarizeWorkers
from benchmarks.workers_report import quotaText
from benchmarks.workloads import ALL_WORKLOADS, SCALES

__all__ = ["plot", "plotScales", "plotWorkers"]

#: Charts side by side.
COLUMNS = 2

#: The maximum length of a bar, in multiples of the median bar. Longer bars are cut.
MAX_BAR = 4

#: The colours of this project's servers and of the others.
OWN_COLOUR, OTHER_COLOUR = "#c0392b", "#7f8c9a"


def plot(report: Report, path: Path) -> None:
    """
    Draw a chart per workload, with a bar per server: its cost per unit, and the ratio to the first baseline.

    @param path: the SVG file to write.
    @raise ImportError: if matplotlib is not installed.
    """
    summaries = summarize(report.runs)
    height = max(map(len, summaries.values())) * 0.22 + 0.9
    lines = -(-len(summaries) // COLUMNS)
    with _figure(report, path, height * lines + 0.6) as figure:
        grid = figure.subplots(lines, COLUMNS, squeeze=False).flat
        for axes, (name, rows) in zip(grid, summaries.items(), strict=False):
            peers = list(reversed(rows))
            longest = MAX_BAR * median(row.cost for row in rows.values())
            colours = [OWN_COLOUR if "sockservices" in peer else OTHER_COLOUR for peer in peers]
            bars = axes.barh(peers, [min(rows[peer].cost, longest) for peer in peers], color=colours)
            axes.bar_label(bars, [_label(rows[peer], longest) for peer in peers], padding=2)
            axes.set_title(ALL_WORKLOADS[name].description, loc="left", fontsize=8, fontweight="bold")
            axes.set_xlabel(f"{ALL_WORKLOADS[name].costUnit}; at the bar: x {BASELINES[0]}")
            axes.margins(x=0.2)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in list(figure.axes)[len(summaries) :]:
            axes.remove()


def plotScales(report: Report, path: Path) -> None:
    """
    Draw a chart per series of workloads, with a line per server: its processor time per message.

    @param path: the SVG file to write.
    @raise ImportError: if matplotlib is not installed.
    """
    summaries = summarize(report.runs)
    measured = {
        name: {number: summaries[workload.name] for number, workload in series.items() if workload.name in summaries}
        for name, series in SCALES.items()
    }
    shown = {name: series for name, series in measured.items() if series}
    with _figure(report, path, 3.6) as figure:
        grid = figure.subplots(1, len(shown), squeeze=False).flat
        for axes, (name, series) in zip(grid, shown.items(), strict=True):
            for peer in sorted({peer for rows in series.values() for peer in rows}):
                costs = {number: rows[peer].cpu for number, rows in series.items() if peer in rows}
                own = {"color": OWN_COLOUR, "linewidth": 2.5} if peer == "sockservices" else {"linewidth": 1.2}
                axes.plot(list(costs), list(costs.values()), marker="o", markersize=3, label=peer, **own)
            axes.set_xscale("log")
            axes.set_ylim(bottom=0)
            axes.set_xlabel(name)
            axes.set_ylabel("us/message of processor time")
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(fontsize=7, frameon=False)


def plotWorkers(report: Report, path: Path) -> None:
    """
    Draw a chart per quota: how many times the rate of one worker several workers serve, with a bar per server and
    workload.

    @param path: the SVG file to write.
    @raise ImportError: if matplotlib is not installed.
    """
    summaries = summarizeWorkers(report.runs)
    quotas = list(dict.fromkeys(quotaText(run.quota) for run in report.runs))
    labels = [f"{name} {peer}" for name, peers in summaries.items() for peer in peers][::-1]
    with _figure(report, path, len(labels) * 0.19 + 1.2) as figure:
        for axes, quota in zip(
            figure.subplots(1, len(quotas), squeeze=False, sharex=True, sharey=True).flat, quotas, strict=True
        ):
            ratios = {
                f"{name} {peer}": row.rateRatio
                for name, peers in summaries.items()
                for peer, rows in peers.items()
                for row in rows
                if quotaText(row.quota) == quota and row.rateRatio is not None
            }
            colours = [OWN_COLOUR if "sockservices" in label else OTHER_COLOUR for label in labels]
            bars = axes.barh(labels, [ratios.get(label, 0) for label in labels], color=colours)
            axes.bar_label(bars, [f"{ratios[label]:.2f}" if label in ratios else "" for label in labels], padding=2)
            axes.set_title(quota, loc="left", fontsize=8, fontweight="bold")
            axes.set_xlabel(f"rate of {MAX_WORKERS} workers, 1 worker = 1")
            axes.margins(x=0.1)
            axes.spines[["top", "right"]].set_visible(False)


@contextmanager
def _figure(report: Report, path: Path, height: float) -> Iterator[Any]:
    """
    Make a figure, and write it to a file at the end of the C{with} block.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": 8, "svg.hashsalt": "benchmarks", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, height), layout="constrained")
        yield figure
        figure.suptitle(report.caption, fontsize=7, wrap=True)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _label(row: Summary, longest: float) -> str:
    """
    Format the ratio to the first baseline, and whether the bar is cut.
    """
    ratio = row.ratios.get(BASELINES[0])
    return ("" if ratio is None else f"{ratio:.2f}") + (" (cut)" if row.cost > longest else "")

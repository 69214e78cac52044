"""
The picture of a comparison.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.figures import BASES, Figures, figures
from benchmarks.report import Report
from benchmarks.workloads import WORKLOADS

__all__ = ["plot"]

COLUMNS = 2
#: Bars longer than so many times the median one are cut.
CUT = 4
OURS, OTHERS = "#c0392b", "#7f8c9a"


def plot(report: Report, path: Path) -> None:
    """
    Draw a bar for every server under every load: its processor time a unit, and its ratio to the first base.

    @raise ImportError: without matplotlib.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    found = figures(report.runs)
    height = max(map(len, found.values())) * 0.22 + 0.9
    lines = -(-len(found) // COLUMNS)
    with rc_context({"font.size": 8, "svg.hashsalt": "benchmarks", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, height * lines + 0.6), layout="constrained")
        grid = figure.subplots(lines, COLUMNS, squeeze=False).flat
        for axes, (name, rows) in zip(grid, found.items(), strict=False):
            peers = list(reversed(rows))
            end = CUT * median(row.cpu for row in rows.values())
            colours = [OURS if "sockservices" in peer else OTHERS for peer in peers]
            bars = axes.barh(peers, [min(rows[peer].cpu, end) for peer in peers], color=colours)
            axes.bar_label(bars, [_label(rows[peer], end) for peer in peers], padding=2)
            axes.set_title(WORKLOADS[name].about, loc="left", fontsize=8, fontweight="bold")
            axes.set_xlabel(f"us/{WORKLOADS[name].unit} of processor time; at the bar: x {BASES[0]}")
            axes.margins(x=0.2)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in list(figure.axes)[len(found) :]:
            axes.remove()
        figure.suptitle(report.caption, fontsize=7, wrap=True)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _label(row: Figures, end: float) -> str:
    """
    What stands at a bar.
    """
    base = row.ratios.get(BASES[0])
    return ("" if base is None else f"{base:.2f}") + (" (cut)" if row.cpu > end else "")

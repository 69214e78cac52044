"""
Draws the comparison as bar charts.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.report import Report
from benchmarks.summary import BASELINES, Summary, summarize
from benchmarks.workloads import WORKLOADS

__all__ = ["plot"]

#: Charts side by side.
COLUMNS = 2

#: The maximum length of a bar, in multiples of the median bar. Longer bars are cut.
MAX_BAR = 4

#: The colours of this project's servers and of the others.
OWN_COLOUR, OTHER_COLOUR = "#c0392b", "#7f8c9a"


def plot(report: Report, path: Path) -> None:
    """
    Draw a chart per workload, with a bar per server: its processor time per unit, and the ratio to the first baseline.

    @param path: the SVG file to write.
    @raise ImportError: if matplotlib is not installed.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    summaries = summarize(report.runs)
    height = max(map(len, summaries.values())) * 0.22 + 0.9
    lines = -(-len(summaries) // COLUMNS)
    with rc_context({"font.size": 8, "svg.hashsalt": "benchmarks", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, height * lines + 0.6), layout="constrained")
        grid = figure.subplots(lines, COLUMNS, squeeze=False).flat
        for axes, (name, rows) in zip(grid, summaries.items(), strict=False):
            peers = list(reversed(rows))
            longest = MAX_BAR * median(row.cpu for row in rows.values())
            colours = [OWN_COLOUR if "sockservices" in peer else OTHER_COLOUR for peer in peers]
            bars = axes.barh(peers, [min(rows[peer].cpu, longest) for peer in peers], color=colours)
            axes.bar_label(bars, [_label(rows[peer], longest) for peer in peers], padding=2)
            axes.set_title(WORKLOADS[name].description, loc="left", fontsize=8, fontweight="bold")
            axes.set_xlabel(f"us/{WORKLOADS[name].unit} of processor time; at the bar: x {BASELINES[0]}")
            axes.margins(x=0.2)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in list(figure.axes)[len(summaries) :]:
            axes.remove()
        figure.suptitle(report.caption, fontsize=7, wrap=True)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _label(row: Summary, longest: float) -> str:
    """
    Format the ratio to the first baseline, and whether the bar is cut.
    """
    ratio = row.ratios.get(BASELINES[0])
    return ("" if ratio is None else f"{ratio:.2f}") + (" (cut)" if row.cpu > longest else "")

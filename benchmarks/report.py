"""
The tables and files that show what was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.figures import BASES, Figures, figures
from benchmarks.measure import Run
from benchmarks.workloads import WORKLOADS

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """
    All that is told of a comparison.

    @ivar machine: the machine and its versions.
    @ivar settings: how it was measured.
    @ivar unmeasured: what was not measured, by C{"workload server"}, and why.
    """

    date: str
    machine: Mapping[str, str]
    settings: Mapping[str, str | int | float]
    runs: Sequence[Run]
    unmeasured: Mapping[str, str]

    @property
    def caption(self) -> str:
        """
        When and where, in one line.
        """
        return ", ".join([self.date[:10], *(_named(name, value) for name, value in self.machine.items())])

    def write(self, folder: Path) -> None:
        """
        Write C{results.json} and C{results.md}.
        """
        folder.mkdir(parents=True, exist_ok=True)
        whole = asdict(self) | {
            "figures": {
                workload: {peer: asdict(row) for peer, row in peers.items()}
                for workload, peers in figures(self.runs).items()
            }
        }
        (folder / "results.json").write_text(json.dumps(whole, indent=1) + "\n")
        (folder / "results.md").write_text(self.markdown())

    def markdown(self) -> str:
        """
        The tables.
        """
        found = figures(self.runs)
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        parts = [f"Measured {self.caption}; {settings}.\n", *(comparison(found, base) for base in BASES)]
        parts += [f"### {name}: {WORKLOADS[name].about}\n\n{details(name, rows)}" for name, rows in found.items()]
        if self.unmeasured:
            parts.append(
                "### Not measured\n\n" + "".join(f"* {what}: {why}\n" for what, why in self.unmeasured.items())
            )
        return "\n".join(filter(None, parts))


def _named(name: str, value: str) -> str:
    """
    A version with its name, and what has its name in its words as it is.
    """
    return value if name in {"processor", "kernel", "python"} else f"{name} {value}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _number(value: float | None) -> str:
    """
    Three digits that count.
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def comparison(found: Mapping[str, Mapping[str, Figures]], base: str) -> str:
    """
    One table for all workloads: every server's processor time a unit, as a multiple of the base's.
    """
    names = [name for name, rows in found.items() if base in rows]
    peers = {peer: None for name in names for peer in found[name]}
    absolute = [f"{_number(found[name][base].cpu)} us/{WORKLOADS[name].unit}" for name in names]
    rows = [
        [peer, *(f"{row.ratios[base]:.2f}" if (row := found[name].get(peer)) else "-" for name in names)]
        for peer in peers
    ]
    return _table([f"processor time, {base} = 1", *names], [[f"*{base}*", *absolute], *rows]) if names else ""


def details(name: str, rows: Mapping[str, Figures]) -> str:
    """
    The table of one workload.
    """
    unit, keeps = WORKLOADS[name].unit, WORKLOADS[name].kind == "idle"
    bases = [base for base in BASES if base in rows]
    rate = f"{unit}/s" if unit == "KiB" else f"{unit}s/s"
    head = ["server", f"us/{unit}", *(f"x {base}" for base in bases), rate, "p50 us", "p99 us"]
    head += ["KiB/connection", "idle us/s", "connections"] if keeps else ["memory MiB"]
    lines = []
    for peer, row in rows.items():
        ratios = [f"{row.ratios[base]:.2f}" if base in row.ratios else "-" for base in bases]
        memory = [row.memory, row.idle, row.units] if keeps else [row.memory / 1024]
        lines.append(
            [peer, _number(row.cpu), *ratios, *map(_number, (row.rate, row.p50, row.p99, *memory)), str(row.lost)]
        )
    return _table([*head, "lost"], lines)

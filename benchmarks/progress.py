"""
Shows the progress of the runs: a bar on a terminal, else a line per run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["Progress", "progress"]


class Progress(Protocol):
    """
    Receives the start and the result of each run.
    """

    def started(self, run: str) -> None:
        """
        A run starts.
        """

    def ended(self, run: str, result: str, failed: bool = False) -> None:
        """
        A run has ended.
        """


class LineProgress:
    """
    Prints a line for each run.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._count = 0

    def started(self, run: str) -> None:
        """
        Print nothing.
        """

    def ended(self, run: str, result: str, failed: bool = False) -> None:
        """
        Print the result.
        """
        self._count += 1
        print(f"[{self._count}/{self._total}] {run}: {result}", file=sys.stderr, flush=True)


class BarProgress:
    """
    Shows a progress bar. It is redrawn between runs only: a redraw during a run would use the load generator's core.
    """

    def __init__(self, bar: Any, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total, result="")

    def started(self, run: str) -> None:
        """
        Show the name of the run.
        """
        self._bar.update(self._task, description=run, refresh=True)

    def ended(self, run: str, result: str, failed: bool = False) -> None:
        """
        Advance the bar. The reason of a failure is printed above the bar, where it remains.
        """
        if failed:
            self._bar.console.print(f"{run}: {result}", markup=False, highlight=False)
        self._bar.update(self._task, advance=1, result="" if failed else result, refresh=True)


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """
    Choose the way to show the progress of C{total} runs.
    """
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress
    except ImportError:
        yield LineProgress(total)
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield LineProgress(total)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[result]}"),
    )
    with RichProgress(*columns, console=console, auto_refresh=False) as bar:
        yield BarProgress(bar, total)

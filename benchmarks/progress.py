"""
How far it is: a bar on a terminal, lines elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["Progress", "progress"]


class Progress(Protocol):
    """
    What is told of every run.
    """

    def begin(self, run: str) -> None:
        """
        It begins.
        """

    def end(self, run: str, found: str, failed: bool = False) -> None:
        """
        It has ended.
        """


class Lines:
    """
    A line for every run.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._count = 0

    def begin(self, run: str) -> None:
        """
        Nothing yet.
        """

    def end(self, run: str, found: str, failed: bool = False) -> None:
        """
        Say what it found.
        """
        self._count += 1
        print(f"[{self._count}/{self._total}] {run}: {found}", file=sys.stderr, flush=True)


class Bar:
    """
    A bar, which stands still while a run is measured: the load's core is not its own.
    """

    def __init__(self, bar: Any, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total, found="")

    def begin(self, run: str) -> None:
        """
        Show what is measured.
        """
        self._bar.update(self._task, description=run, refresh=True)

    def end(self, run: str, found: str, failed: bool = False) -> None:
        """
        Go on; what failed stays to be read.
        """
        if failed:
            self._bar.console.print(f"{run}: {found}", markup=False, highlight=False)
        self._bar.update(self._task, advance=1, found=found if not failed else "", refresh=True)


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """
    Something to tell the runs to.
    """
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress
    except ImportError:
        yield Lines(total)
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(total)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[found]}"),
    )
    with RichProgress(*columns, console=console, auto_refresh=False) as bar:
        yield Bar(bar, total)

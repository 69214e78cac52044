"""
A progress bar on the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

__all__ = ["progressBar"]


@contextmanager
def progressBar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """
    Show a progress bar on standard error, if that is a terminal.

    @return: a function that advances the bar by a number of steps.
    """
    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield partial(bar.advance, bar.add_task(description, total=total))

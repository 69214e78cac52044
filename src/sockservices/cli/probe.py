"""
C{sockservices probe}: which ports accept connections.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import click
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text
from twisted.internet.defer import Deferred

from sockservices.cli.completion import completeWords
from sockservices.cli.exit_status import exitStatus
from sockservices.cli.parameters import PARALLEL, TARGETS, timeoutOption
from sockservices.cli.reactor import backgroundReactor
from sockservices.client import Target, Verdict
from sockservices.client.probe import STATES, ProbeResult, probeAll
from sockservices.text.values import quoted

__all__ = ["probe"]

STYLES = {Verdict.OK: "green", Verdict.TIMEOUT: "yellow"}


# ParamType is generic only from click 8.4 on.
class _StateType(click.ParamType):  # type: ignore[type-arg]
    """
    The state of a port.
    """

    name = "state"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """
        Check the state.
        """
        if value not in STATES:
            self.fail(f"{quoted(str(value))}: expected {', '.join(STATES[:-1])} or {STATES[-1]}", param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """
        Complete the state.
        """
        return completeWords(STATES, incomplete)


@click.command(short_help="Find out which ports accept connections.")
@click.argument("urls", type=TARGETS, nargs=-1, required=True, metavar="URL...")
@click.option("--expect", type=_StateType(), metavar="STATE", help="The state that every target must have.")
@click.option(
    "--parallel",
    type=PARALLEL,
    metavar="N",
    default=64,
    show_default=True,
    help="Maximum number of probes at a time.",
)
@click.option("--json", "asJson", is_flag=True, help="Print the rows as a JSON array of objects.")
@timeoutOption(2.0, "Time for each probe, and before the first for the resolution of host names.")
def probe(urls: Sequence[list[Target]], expect: str | None, parallel: int, asJson: bool, timeout: float) -> int:
    """
    Connect to each target, send nothing, and print one row: its state, the time, and the reason.

    URL is tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH. PORT may be a range, such as 8000-8010.

    The states are open; refused (the host is up, the port is closed); no-connection (no answer: filtered, or the
    listener's queue is full); unreachable; dns; timeout (the name does not resolve in time). A UDP probe is one empty
    datagram: a reply means open, an ICMP error refused. Silence means open-or-filtered: no probe can tell which.

    The exit status is ok 0 if every target is open; else that of the first that is not: refused 10, open-or-filtered or
    timeout 12, unreachable 17, dns 18, no-connection 19. With --expect it is 0, or 2 if a target has another state.
    """
    targets = list(chain.from_iterable(urls))
    rows = _Rows(len(targets), printAtOnce=not asJson and not Console().is_terminal)
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar, backgroundReactor() as background:
        task = bar.add_task("probing", total=len(targets))

        def onResult(index: int, result: ProbeResult) -> None:
            rows.add(index, result)
            bar.advance(task)

        def run() -> Deferred[list[ProbeResult]]:
            reactor = background.reactor
            return probeAll(targets, reactor=reactor, timeout=timeout, parallel=parallel, onResult=onResult)

        results: list[ProbeResult] = background.call(run, timeout=None)
    if asJson:
        click.echo(json.dumps([_asObject(each) for each in results], indent=2))
    elif not rows.printAtOnce:
        Console(highlight=False).print(_table(results))
    return _exitStatus(results, expect)


class _Rows:
    """
    Rows in the order of the targets. In a pipe, each is printed as soon as all earlier ones are known.
    """

    def __init__(self, count: int, printAtOnce: bool) -> None:
        self.printAtOnce = printAtOnce
        self._results: list[ProbeResult | None] = [None] * count
        self._printed = 0

    def add(self, index: int, result: ProbeResult) -> None:
        """
        Add a row.
        """
        self._results[index] = result
        while self.printAtOnce and self._printed < len(self._results):
            following = self._results[self._printed]
            if following is None:
                break
            click.echo("\t".join(_cells(following)))
            self._printed += 1


def _cells(result: ProbeResult) -> tuple[str, str, str, str]:
    return str(result.target), result.state, f"{result.seconds * 1000:.3f} ms", result.description


def _asObject(result: ProbeResult) -> dict[str, Any]:
    return {
        "url": str(result.target),
        "state": result.state,
        "verdict": result.verdict.value,
        "seconds": round(result.seconds, 6),
        "description": result.description,
    }


def _table(results: Sequence[ProbeResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("target", "state"):
        table.add_column(heading, no_wrap=True)
    table.add_column("time", no_wrap=True, justify="right")
    table.add_column("reason")
    for result in results:
        target, state, time, description = (Text(cell) for cell in _cells(result))
        state.stylize(STYLES.get(result.verdict, "red"))
        table.add_row(target, state, time, description)
    return table


def _exitStatus(results: Sequence[ProbeResult], expect: str | None) -> int:
    if expect is None:
        return exitStatus(next((each.verdict for each in results if each.verdict is not Verdict.OK), Verdict.OK))
    different = [each for each in results if each.state != expect]
    for each in different:
        click.echo(f"sockservices probe: {each.target}: {each.state}; expected {expect}", err=True)
    return exitStatus(Verdict.FAILED if different else Verdict.OK)

"""
C{sockservices probe}: which ports accept connections.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sockservices.cli.completion import completeWords
from sockservices.cli.exit_status import exitStatus
from sockservices.cli.parameters import PARALLEL, TARGETS, Parsed, secondsOption
from sockservices.cli.progress_bar import progressBar
from sockservices.cli.reactor import backgroundReactor
from sockservices.client import Target, Verdict
from sockservices.client.probe import STATES, ProbeResult, probeAll
from sockservices.text.values import quoted

__all__ = ["probe"]

STYLES = {Verdict.OK: "green", Verdict.TIMEOUT: "yellow"}


def _parseState(text: str) -> str:
    if text not in STATES:
        raise ValueError(f"{quoted(text)}: expected {', '.join(STATES[:-1])} or {STATES[-1]}")
    return text


@click.command(short_help="Find out which ports accept connections.")
@click.argument("urls", type=TARGETS, nargs=-1, required=True, metavar="URL...")
@click.option(
    "--expect",
    type=Parsed(_parseState, partial(completeWords, STATES)),
    metavar="STATE",
    help="The state that every target must have.",
)
@click.option(
    "--parallel", type=PARALLEL, metavar="N", default=64, show_default=True, help="Maximum number of probes at a time."
)
@click.option("--json", "asJson", is_flag=True, help="Print the rows as a JSON array of objects.")
@secondsOption("--timeout", 2.0, "Time for each probe, and before the first for the resolution of host names.")
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
    console = Console(highlight=False)
    rows = _OrderedRows()
    with progressBar("probing", len(targets)) as advance, backgroundReactor() as background:

        def onResult(index: int, result: ProbeResult) -> None:
            if not (asJson or console.is_terminal):
                rows.add(index, result)
            advance(1)

        reactor = background.reactor
        results: list[ProbeResult] = background.call(
            lambda: probeAll(targets, reactor=reactor, timeout=timeout, parallel=parallel, onResult=onResult),
            timeout=None,
        )
    if asJson:
        click.echo(json.dumps([_asObject(each) for each in results], indent=2))
    elif console.is_terminal:
        console.print(_table(results))
    return _exitStatus(results, expect)


class _OrderedRows:
    """
    Prints rows in the order of the targets, each as soon as all earlier ones are known.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, ProbeResult] = {}
        self._next = 0

    def add(self, index: int, result: ProbeResult) -> None:
        self._waiting[index] = result
        while self._next in self._waiting:
            click.echo("\t".join(_cells(self._waiting.pop(self._next))))
            self._next += 1


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

"""
C{sockservices check}: whether a host's services do as their RFCs say.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from sockservices import conformance
from sockservices.cli.parameters import timeout
from sockservices.cli.running import background
from sockservices.cli.words import about
from sockservices.client import Unanswered, Verdict
from sockservices.conformance import PORTS, RFC_PORTS, Result, Row, Timing

__all__ = ["check"]

STYLES = {Result.PASS: "green", Result.FAIL: "bold red", Result.LIMITED: "yellow", Result.NOT_OFFERED: "dim"}


# ParamType is not generic before click 8.4.
class _Host(click.ParamType):  # type: ignore[type-arg]
    """
    A name or an address, and no more.
    """

    name = "host"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """
        Tell a URL, or a port, from a host.
        """
        host = str(value)
        if not re.fullmatch(r"[\w.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\S+)?", host):
            self.fail(f"{host!r}: a name or an IP address is wanted; ports go into --ports", param, ctx)
        return host


class _Ports(click.ParamType):  # type: ignore[type-arg]
    """
    Where the services are: C{rfc}, or C{echo=7007,time=7037}.
    """

    name = "ports"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mapping[str, int]:
        """
        Read it.
        """
        if value == "rfc":
            return RFC_PORTS
        if not isinstance(value, str):
            ports: Mapping[str, int] = value
            return ports
        try:
            return _ports(value)
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


def _ports(words: str) -> Mapping[str, int]:
    ports = {}
    for word in words.split(","):
        name, equals, port = word.strip().partition("=")
        if not equals:
            raise ValueError(f"{word!r}: rfc or NAME=PORT,... is wanted")
        if name not in PORTS:
            raise ValueError(f"no service {name!r}; there are {', '.join(sorted(PORTS))}")
        if name in ports:
            raise ValueError(f"{name!r}: one port is wanted, there are two")
        if not (port.isdecimal() and 0 < int(port[:6]) < 65536):
            raise ValueError(f"{word!r}: a port from 1 to 65535 is wanted")
        ports[name] = int(port)
    return ports


@click.command(short_help="Check whether a host's services do as their RFCs say.")
@click.argument("host", type=_Host())
@click.option(
    "--ports",
    type=_Ports(),
    metavar="rfc|NAME=PORT,...",
    default=PORTS,
    help="Where its services are, TCP and UDP: at the RFCs' own ports, or those named, and no others. By default, "
    "where servers of this project have them.",
)
@click.option("--json", "asJson", is_flag=True, help="Print the rows as JSON: an array of objects.")
@timeout(2.0, "How long to wait for a connection, for a reply, and for an answer to go on.")
def check(host: str, ports: Mapping[str, int], asJson: bool, timeout: float) -> int:
    """
    Ask a host's services for all that their RFCs, or the tutorials, say of them: one row for each sentence.

    A row is pass, fail (with what was seen and what was expected), limited (no reply where a rule on sizes
    withholds it), or not offered. No more than 10 datagrams are sent in a second.

    The exit status is 0 when no row is fail, else 2; refused 10, timeout 12, unreachable 17, when no service is
    offered at all; dns 18, usage 64.
    """
    rows = _rows(host.strip("[]"), ports, Timing(timeout))
    if asJson:
        click.echo(json.dumps([row._asdict() | {"result": row.result.value} for row in rows], indent=2))
    else:
        console = Console(highlight=False)
        with console.capture() as table:
            console.print(_table(rows))
        for line in table.get().splitlines():
            # In a pipe, there are no blanks up to the right margin.
            click.echo(line.rstrip())
        counts = Counter(row.result for row in rows)
        console.print(f"{host}: {', '.join(f'{counts[result]} {result.value}' for result in Result)}", markup=False)
    if all(row.result is Result.NOT_OFFERED for row in rows):
        with about(host):
            raise Unanswered(_absence(rows), "none of these services is offered")
    failed = any(row.result is Result.FAIL for row in rows)
    return (Verdict.FAILED if failed else Verdict.OK).status


def _rows(host: str, ports: Mapping[str, int], timing: Timing) -> list[Row]:
    """
    Check, with a bar on a terminal.
    """
    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar, background() as running:
        task = bar.add_task(f"checking {host}", total=conformance.countCases(ports))

        def told(row: Row) -> None:
            absent = row.result is Result.NOT_OFFERED
            bar.advance(task, conformance.countCases([row.service], row.transport) if absent else 1)

        rows: list[Row] = running.call(
            lambda: conformance.check(host, ports, reactor=running.reactor, onRow=told, timing=timing), limit=None
        )
    return rows


def _table(rows: Sequence[Row]) -> Table:
    """
    For people.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("service", "over", "port"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it does")
    table.add_column("result", no_wrap=True)
    for row in rows:
        absent = row.result is Result.NOT_OFFERED
        says = Text.assemble(row.sentence, (f" ({row.seen if absent else row.source})", "dim"))
        if row.expected:
            says.append(f"\n  seen: {row.seen}\n  expected: {row.expected}", STYLES[row.result])
        words = (row.service, row.transport, str(row.port), says, Text(row.result.value, STYLES[row.result]))
        table.add_row(*words, style="dim" if absent else None)
    return table


def _absence(rows: Sequence[Row]) -> Verdict:
    """
    Why there is nothing: the reason that tells most of the host.
    """
    seen = {row.seen for row in rows}
    reasons: list[Verdict] = [Verdict.REFUSED, Verdict.UNREACHABLE, *Verdict]
    return next(reason for reason in reasons if reason.word in seen)

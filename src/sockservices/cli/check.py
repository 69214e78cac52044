"""
C{sockservices check}: the conformance of a host's services to their RFCs.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sockservices import conformance
from sockservices.cli.completion import completePorts
from sockservices.cli.errors import addTarget
from sockservices.cli.exit_status import exitStatus
from sockservices.cli.parameters import Parsed, secondsOption
from sockservices.cli.progress_bar import progressBar
from sockservices.cli.reactor import backgroundReactor
from sockservices.client import RequestFailed, Verdict
from sockservices.conformance import PORTS, RFC_PORTS, Result, Row, Timing
from sockservices.text.values import quoted

__all__ = ["check", "reasonNotOffered"]

STYLES = {Result.PASS: "green", Result.FAIL: "bold red", Result.LIMITED: "yellow", Result.NOT_OFFERED: "dim"}

#: Why a service is not offered, by the verdict.
REASONS = {
    Verdict.REFUSED.value: "nothing listens on this port",
    Verdict.TIMEOUT.value: "no reply to any datagram: a firewall drops them, or the service does not reply",
    Verdict.NO_CONNECTION.value: "no answer to the connection attempt: filtered, or the listener's queue is full",
    Verdict.UNREACHABLE.value: "no route to the host",
}


def _parseHost(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\S+)?", text):
        raise ValueError(f"{quoted(text)}: expected a host name or an IP address; ports go into --ports")
    return text


def _parsePorts(text: str) -> Mapping[str, int]:
    if text == "rfc":
        return RFC_PORTS
    ports = {}
    for item in text.split(","):
        name, equals, port = item.strip().partition("=")
        if not equals:
            raise ValueError(f"{quoted(item)}: expected rfc or NAME=PORT,...")
        if name not in PORTS:
            raise ValueError(f"{quoted(item)}: expected one of these services: {', '.join(sorted(PORTS))}")
        if name in ports:
            raise ValueError(f"{quoted(item)}: expected one port for {name}, got two")
        if not (port.isdecimal() and 0 < int(port[:6]) < 65536):
            raise ValueError(f"{quoted(item)}: expected a port from 1 to 65535")
        ports[name] = int(port)
    return ports


@click.command(short_help="Check a host's services for conformance to their RFCs.")
@click.argument("host", type=Parsed(_parseHost))
@click.option(
    "--ports",
    type=Parsed(_parsePorts, completePorts),
    metavar="rfc|NAME=PORT,...",
    default=PORTS,
    help="Ports of the services, the same for TCP and UDP: those of the RFCs, or the given services alone. By default, "
    "the default ports of this project's server.",
)
@click.option("--failures", is_flag=True, help="Print only the rows that fail. The counts are those of all rows.")
@click.option("--json", "asJson", is_flag=True, help="Print the rows as a JSON array of objects.")
@secondsOption("--timeout", 2.0, "Time to wait for a connection, for a reply, and for the next part of an answer.")
def check(host: str, ports: Mapping[str, int], failures: bool, asJson: bool, timeout: float) -> int:
    """
    Check a host's services against every statement of their RFCs, or of the tutorials: one row for each statement. In a
    pipe a row is one line, with tabs between its columns.

    The result of a row is pass, fail (with the observed and the expected behaviour), limited (no reply because of a
    limit on reply sizes), or not offered. The check sends at most 10 datagrams in a second.

    The exit status is 0 if no row fails, else 2; if the host offers none of the services, refused 10, timeout 12,
    unreachable 17 or no-connection 19; dns 18, usage 64.
    """
    rows = _check(host, ports, Timing(timeout))
    printed = [row for row in rows if row.result is Result.FAIL] if failures else rows
    counts = Counter(row.result for row in rows)
    summary = f"{host}: {', '.join(f'{counts[result]} {result}' for result in Result)}"
    console = Console(highlight=False)
    if asJson:
        click.echo(json.dumps([row._asdict() for row in printed], indent=2))
    elif console.is_terminal:
        console.print(_table(printed))
        console.print(summary, markup=False)
    else:
        for row in printed:
            click.echo("\t".join(_columns(row)))
        # Each line of standard output is a row.
        click.echo(summary, err=True)
    if all(row.result is Result.NOT_OFFERED for row in rows):
        with addTarget(host):
            raise RequestFailed(reasonNotOffered(rows), "the host offers none of these services")
    failed = any(row.result is Result.FAIL for row in rows)
    return exitStatus(Verdict.FAILED if failed else Verdict.OK)


def _check(host: str, ports: Mapping[str, int], timing: Timing) -> list[Row]:
    """
    Check the host, with a progress bar if standard error is a terminal.
    """
    with progressBar(f"checking {host}", conformance.countCases(ports)) as advance, backgroundReactor() as background:

        def advanceBar(row: Row) -> None:
            # One row stands for all cases of a service that is not offered.
            notOffered = row.result is Result.NOT_OFFERED
            advance(conformance.countCases([row.service], row.transport) if notOffered else 1)

        reactor = background.reactor
        rows: list[Row] = background.call(
            lambda: conformance.check(host, ports, reactor=reactor, onRow=advanceBar, timing=timing), timeout=None
        )
    return rows


def _columns(row: Row) -> list[str]:
    columns = [row.service, row.transport, str(row.port), row.result]
    if row.result is Result.NOT_OFFERED:
        return [*columns, row.sentence, _reason(row)]
    columns.append(f"{row.sentence} ({row.source})")
    return [*columns, f"seen: {row.seen}", f"expected: {row.expected}"] if row.expected else columns


def _reason(row: Row) -> str:
    """
    Give the reason why a service is not offered: the verdict, and a sentence.
    """
    return ": ".join(filter(None, (row.seen, REASONS.get(row.seen))))


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("service", "over", "port"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it does")
    table.add_column("result", no_wrap=True)
    for row in rows:
        notOffered = row.result is Result.NOT_OFFERED
        statement = Text.assemble(row.sentence, (f" ({row.source})", "dim"))
        if notOffered:
            statement = Text(_reason(row))
        elif row.expected:
            statement.append(f"\n  seen: {row.seen}\n  expected: {row.expected}", STYLES[row.result])
        result = Text(row.result, STYLES[row.result])
        table.add_row(row.service, row.transport, str(row.port), statement, result, style="dim" if notOffered else None)
    return table


def reasonNotOffered(rows: Sequence[Row]) -> Verdict:
    """
    Choose the most specific of the rows' reasons: refused and unreachable are responses of the host or the network; a
    timeout over TCP is more specific than one over UDP.
    """
    seen = {row.seen for row in rows}
    reasons: list[Verdict] = [Verdict.REFUSED, Verdict.UNREACHABLE, Verdict.NO_CONNECTION, *Verdict]
    return next(reason for reason in reasons if reason.value in seen)

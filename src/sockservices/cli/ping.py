"""
C{sockservices ping}: probes, and what becomes of them.
"""

from __future__ import annotations

from contextlib import nullcontext
from random import SystemRandom
from statistics import quantiles
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from sockservices.cli.parameters import COUNT, INTERVAL, TARGET, timeout
from sockservices.cli.running import background
from sockservices.client import Target
from sockservices.client.ping import ping as probe
from sockservices.client.tally import Tally

__all__ = ["drawn", "figures", "ping", "times"]

#: How many of the last times are drawn.
DRAWN = 40

BARS = "▁▂▃▄▅▆▇█"


def figures(tally: Tally) -> str:
    """
    The counts as a line.
    """
    return (
        f"{tally.sent} sent, {tally.returned} returned, {tally.lost} lost, {tally.corrupt} corrupt, "
        f"{tally.duplicated} duplicated, {tally.reordered} reordered, {tally.strays} from the wrong address"
    )


def times(tally: Tally) -> str:
    """
    The times as a line, in milliseconds.
    """
    if not tally.times:
        return "no times: none has returned"
    # One value is all of its quantiles; statistics wants two.
    cuts = quantiles([*tally.times] * (1 + (len(tally.times) == 1)), n=100, method="inclusive")
    least, middle, most = (f"{seconds * 1000:.3f} ms" for seconds in (min(tally.times), cuts[49], cuts[98]))
    return f"{least} min, {middle} median, {most} p99"


def drawn(tally: Tally) -> str:
    """
    The last times as bars, the longest of them the highest.
    """
    last = tally.times[-DRAWN:]
    longest = max(last, default=0.0) or 1.0
    return "".join(BARS[int(seconds / longest * (len(BARS) - 1))] for seconds in last)


@click.command(short_help="Probe an echo service, and count what returns.")
@click.argument("url", type=TARGET)
@click.option("--count", type=COUNT, metavar="N", help="How many probes; without it, until Ctrl-C.")
@click.option(
    "--interval",
    type=INTERVAL,
    metavar="SECONDS",
    default=1.0,
    show_default=True,
    help="From one probe to the next.",
)
@timeout(2.0, "How long to wait for a connection, and at the end for probes that are still out.")
def ping(url: Target, count: int | None, interval: float, timeout: float) -> int:
    """
    Send probes of 64 bytes, each different, to a service that gives them back: echo, or upper.

    URL is tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH. Every reply is compared with what was
    sent. Over a stream all probes go through one conversation; after a fault, through another one.

    The exit status is the verdict: ok 0 when every probe has returned as it was, and nothing else has come but copies;
    when one was lost, the last fault's (refused 10, reset 11, timeout 12, eof 13, short 14, unreachable 17, dns 18);
    else corrupt 15, wrong-source 16, or timeout 12.
    """
    tally = Tally(SystemRandom())
    console = Console(highlight=False, markup=False, emoji=False)

    def line() -> Text:
        latest = f"{tally.times[-1] * 1000:.3f} ms" if tally.times else ""
        fault = f"({tally.fault})" if tally.lost and tally.fault is not None else ""
        return Text(f"{tally.returned} of {tally.sent} returned {drawn(tally)} {latest} {fault}", no_wrap=True)

    live: Any = Live(get_renderable=line, console=console, transient=True) if console.is_terminal else nullcontext()
    with live, background() as running:
        try:
            running.call(
                lambda: probe(url, tally, reactor=running.reactor, count=count, interval=interval, timeout=timeout),
                limit=None,
            )
        except KeyboardInterrupt:
            running.call(lambda: tally.withdraw(running.reactor.seconds() - timeout))
    console.print(f"{url}: {figures(tally)}", soft_wrap=True)
    console.print(times(tally), soft_wrap=True)
    verdict = tally.verdict
    if verdict.status:
        told = tally.fault is not None and tally.fault.verdict is verdict
        click.echo(f"sockservices ping: {url}: {tally.fault if told else verdict.word}", err=True)
    return verdict.status

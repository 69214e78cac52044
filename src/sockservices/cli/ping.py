"""
C{sockservices ping}: repeated probes of an echo service.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from random import SystemRandom
from statistics import quantiles
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from sockservices.cli.exit_status import exitStatus
from sockservices.cli.json_output import describeVerdict
from sockservices.cli.parameters import COUNT, INTERVAL, TARGET, secondsOption
from sockservices.cli.reactor import backgroundReactor
from sockservices.client import RequestFailed, Target, Verdict
from sockservices.client.ping import ping as probe
from sockservices.client.ping_statistics import PingStatistics

__all__ = ["counts", "ping", "roundTripTimes", "sparkline"]

#: The number of round-trip times in the sparkline.
SPARKLINE_WIDTH = 40

SPARKLINE_BARS = "▁▂▃▄▅▆▇█"


def counts(statistics: PingStatistics) -> str:
    """
    Give the counts as one line.
    """
    return (
        f"{statistics.sent} sent, {statistics.returned} returned, {statistics.lost} lost, "
        f"{statistics.corrupt} corrupt, {statistics.duplicated} duplicated, {statistics.reordered} reordered, "
        f"{statistics.wrongSourceCount} from the wrong address"
    )


def roundTripTimes(statistics: PingStatistics) -> str:
    """
    Give the minimum, median and 99th percentile of the round-trip times as one line, in milliseconds.
    """
    percentiles = _percentiles(statistics)
    if percentiles is None:
        return "no round-trip times: no probe returned"
    minimum, median, p99 = (f"{seconds * 1000:.3f} ms" for seconds in percentiles)
    return f"{minimum} min, {median} median, {p99} p99"


def _percentiles(statistics: PingStatistics) -> tuple[float, float, float] | None:
    times = statistics.roundTripTimes
    if not times:
        return None
    # quantiles() needs two values.
    cuts = quantiles(times if len(times) > 1 else [*times, *times], n=100, method="inclusive")
    return min(times), cuts[49], cuts[98]


def sparkline(statistics: PingStatistics) -> str:
    """
    Draw the most recent round-trip times as bars, relative to the longest of them.
    """
    recent = statistics.roundTripTimes[-SPARKLINE_WIDTH:]
    longest = max(recent, default=0.0) or 1.0
    return "".join(SPARKLINE_BARS[int(seconds / longest * (len(SPARKLINE_BARS) - 1))] for seconds in recent)


@click.command(short_help="Send probes to an echo service, and count the replies.")
@click.argument("url", type=TARGET)
@click.option("--count", type=COUNT, metavar="N", help="Number of probes; by default, no end until Ctrl-C.")
@secondsOption("--interval", 1.0, "Time from one probe to the next.", INTERVAL)
@click.option("--json", "asJson", is_flag=True, help="Print one JSON object: verdict, counts, and times.")
@secondsOption("--timeout", 2.0, "Time to wait for a connection, and after the last probe for outstanding replies.")
def ping(url: Target, count: int | None, interval: float, asJson: bool, timeout: float) -> int:
    """
    Send distinct probes of 64 bytes to a service that returns them (echo or upper), and compare each reply with its
    probe.

    URL is tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH. Over a stream, all probes use one
    connection; after a failure, a new one.

    The exit status is the verdict: ok 0 if every probe returned unchanged, and every other reply was a copy; if a
    probe was lost, that of the last failure (refused 10, reset 11, timeout 12, eof 13, short 14, unreachable 17,
    dns 18, no-connection 19); else corrupt 15, wrong-source 16, or for the silence of a stream no-answer 20 or
    incomplete 21, and timeout 12 for that of datagrams.
    """
    statistics = PingStatistics(SystemRandom())
    console = Console(highlight=False, markup=False, emoji=False)
    live: Any = nullcontext()
    if console.is_terminal:
        live = Live(get_renderable=lambda: _progressLine(statistics), console=console, transient=True)
    with live, backgroundReactor() as background:
        reactor = background.reactor
        try:
            background.call(
                lambda: probe(url, statistics, reactor=reactor, count=count, interval=interval, timeout=timeout),
                timeout=None,
            )
        except KeyboardInterrupt:
            background.call(lambda: statistics.discardSentAfter(reactor.seconds() - timeout))
    failure = _failure(statistics, timeout)
    if asJson:
        click.echo(json.dumps({**describeVerdict(url, failure), **_countsAsJson(statistics)}))
    else:
        console.print(f"{url}: {counts(statistics)}", soft_wrap=True)
        console.print(roundTripTimes(statistics), soft_wrap=True)
    if failure is not None:
        click.echo(f"sockservices ping: {url}: {failure}", err=True)
    return exitStatus(statistics.verdict)


def _failure(statistics: PingStatistics, timeout: float) -> RequestFailed | None:
    """
    Describe the failure of the verdict; L{None} for C{ok}.
    """
    verdict, last = statistics.verdict, statistics.lastFailure
    if verdict is Verdict.OK:
        return None
    if last is not None and last.verdict is verdict:
        return last
    descriptions = {
        Verdict.NO_ANSWER: f"connected, but no byte of a reply within {timeout:g} s",
        Verdict.INCOMPLETE: f"the replies stopped; no more within {timeout:g} s",
        Verdict.TIMEOUT: f"no reply to {statistics.lost} of {statistics.sent} probes within {timeout:g} s",
        Verdict.CORRUPT: "a reply differs from its probe",
        Verdict.WRONG_SOURCE: "a reply came from another address than the target",
    }
    return RequestFailed(verdict, descriptions[verdict])


def _countsAsJson(statistics: PingStatistics) -> dict[str, Any]:
    minimum, median, p99 = _percentiles(statistics) or (None, None, None)
    return {
        "sent": statistics.sent,
        "returned": statistics.returned,
        "lost": statistics.lost,
        "corrupt": statistics.corrupt,
        "duplicated": statistics.duplicated,
        "reordered": statistics.reordered,
        "wrong_source": statistics.wrongSourceCount,
        "min_seconds": minimum,
        "median_seconds": median,
        "p99_seconds": p99,
    }


def _progressLine(statistics: PingStatistics) -> Text:
    times, failure = statistics.roundTripTimes, statistics.lastFailure
    latest = f"{times[-1] * 1000:.3f} ms" if times else ""
    reason = f"({failure})" if statistics.lost and failure is not None else ""
    progress = f"{statistics.returned} of {statistics.sent} returned {sparkline(statistics)} {latest} {reason}"
    return Text(progress, no_wrap=True)

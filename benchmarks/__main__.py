"""
C{python -m benchmarks}: measure this server and others, in turn, in rounds.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.build import BuildError, build
from benchmarks.machine import describe
from benchmarks.measure import Bench, Run
from benchmarks.peers import Peer, peers
from benchmarks.plot import plot
from benchmarks.progress import progress
from benchmarks.report import Report
from benchmarks.server import RunError
from benchmarks.workloads import WORKLOADS, Workload, affordable

__all__ = ["main"]

#: Connections of the idle workload, and seconds and rounds; --quick has the second ones.
CONNECTIONS = (10_000, 1_000)
SECONDS = (2.0, 0.3)
ROUNDS = (5, 1)

#: What an interrupted comparison has not measured.
REST = "the rest"


def arguments(known: dict[str, Peer], words: list[str] | None) -> argparse.Namespace:
    """
    What the user wants.
    """
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Measure this server beside others, on loopback."
    )
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="only this one; repeatable")
    parser.add_argument("--peer", action="append", choices=known, help="only this server; repeatable")
    parser.add_argument("--rounds", type=int, help=f"how often every server has its turn (default {ROUNDS[0]})")
    parser.add_argument("--seconds", type=float, help=f"how long a load lasts (default {SECONDS[0]:g})")
    parser.add_argument("--quick", action="store_true", help="one short round: does it work?")
    parser.add_argument(
        "--output", type=Path, default=Path("build/benchmarks"), metavar="FOLDER", help="default %(default)s"
    )
    parser.add_argument("--list", action="store_true", help="what there is to choose from")
    chosen = parser.parse_args(words)
    chosen.rounds = ROUNDS[chosen.quick] if chosen.rounds is None else chosen.rounds
    chosen.seconds = SECONDS[chosen.quick] if chosen.seconds is None else chosen.seconds
    if chosen.rounds < 1:
        parser.error(f"--rounds {chosen.rounds}: 1 or more is wanted")
    if not 0 < chosen.seconds <= 60:
        parser.error(f"--seconds {chosen.seconds:g}: more than 0 and at most 60 is wanted")
    return chosen


def listing(known: dict[str, Peer]) -> str:
    """
    What there is to choose from.
    """
    lines = ["workloads:", *(f"  {name:<20} {workload.about}" for name, workload in WORKLOADS.items()), "peers:"]
    for name, peer in known.items():
        lines.append(f"  {name:<20} {peer.about}{f' ({peer.missing} is not installed)' if peer.missing else ''}")
    return "\n".join(lines)


def measured(
    bench: Bench, workloads: list[Workload], chosen: list[Peer], rounds: int, unmeasured: dict[str, str]
) -> list[Run]:
    """
    Make all runs. What fails is not tried again; Ctrl-C ends them, and what has been found is kept.
    """
    pairs = [(workload, peer) for workload in workloads for peer in chosen]
    for workload, peer in pairs:
        if reason := peer.refuses(workload):
            unmeasured[f"{workload.name} {peer.name}"] = reason
    pairs = [(workload, peer) for workload, peer in pairs if f"{workload.name} {peer.name}" not in unmeasured]
    runs: list[Run] = []
    try:
        with progress(len(pairs) * rounds) as told:
            for number in range(1, rounds + 1):
                for workload, peer in pairs:
                    what, title = f"{workload.name} {peer.name}", f"round {number} {workload.name} {peer.name}"
                    told.begin(title)
                    try:
                        if what in unmeasured:
                            raise RunError(unmeasured[what])
                        runs.append(bench.run(workload, peer, number))
                        told.end(title, f"{runs[-1].cpu:.2f} us/{workload.unit}")
                    except RunError as fault:
                        unmeasured[what] = str(fault)
                        told.end(title, f"not measured: {fault}", failed=True)
    except KeyboardInterrupt:
        unmeasured[REST] = "interrupted"
    return runs


def main(words: list[str] | None = None) -> int:
    """
    Measure, and write what was found.

    @return: the exit status: 1 when nothing was found, 130 when it was interrupted.
    """
    known = peers()
    chosen = arguments(known, words)
    if chosen.list:
        print(listing(known))
        return 0
    if not sys.platform.startswith("linux"):
        print("benchmarks: Linux is needed: epoll, and what /proc tells", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    workloads = [affordable(WORKLOADS[name], CONNECTIONS[chosen.quick]) for name in chosen.workload or WORKLOADS]
    unmeasured: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="benchmarks") as folder:
        try:
            build(Path(folder))
        except BuildError as fault:
            print(f"benchmarks: {fault}", file=sys.stderr)
            return 1
        bench = Bench(Path(folder), chosen.seconds)
        some = [known[name] for name in chosen.peer or known]
        runs = measured(bench, workloads, some, chosen.rounds, unmeasured)
    settings = {"rounds": chosen.rounds, "seconds": chosen.seconds, "pinned": "yes" if bench.cores else "no"}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    report = Report(date, describe(), settings, runs, unmeasured)
    print(report.markdown())
    status = 130 if REST in unmeasured else int(not runs)
    if not runs:
        return status
    report.write(chosen.output)
    try:
        plot(report, chosen.output / "results.svg")
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
    print(f"written to {chosen.output}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

"""
C{python -m benchmarks}: measures this server and others in turn, in rounds.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.build import BuildError, build
from benchmarks.machine import describe
from benchmarks.measure import PINNED, Benchmark
from benchmarks.peers import Peer, peers
from benchmarks.plot import plot, plotScales, plotWorkers
from benchmarks.report import Report
from benchmarks.rounds import REMAINING_RUNS, Case, runAll
from benchmarks.workers import deployments, quotaExclusion
from benchmarks.workers_report import WorkersReport
from benchmarks.workloads import ALL_WORKLOADS, SCALES, WORKERS_WORKLOADS, WORKLOADS, Workload, capToDescriptorLimit

__all__ = ["main"]


class Defaults(NamedTuple):
    """
    The size of a comparison, where the options do not say otherwise.

    @ivar connections: the maximum number of connections in a workload.
    @ivar seconds: the duration of a run.
    @ivar rounds: the runs of each server under each workload.
    """

    connections: int
    seconds: float
    rounds: int


FULL, QUICK = Defaults(10_000, 2.0, 5), Defaults(1_000, 0.3, 1)


def parseOptions(known: dict[str, Peer], arguments: list[str] | None) -> argparse.Namespace:
    """
    Parse the command line.

    @param known: the servers, by name.
    """
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Measure this server and others, on the loopback interface."
    )
    parser.add_argument("--workload", action="append", choices=ALL_WORKLOADS, help="run only this workload; repeatable")
    parser.add_argument(
        "--scale", action="append", choices=SCALES, help="run the workloads of this series instead; repeatable"
    )
    parser.add_argument(
        "--workers",
        action="store_true",
        help="compare servers with 1 and 2 workers, on all cores, and as root also with a CPU quota for each worker",
    )
    parser.add_argument("--peer", action="append", choices=known, help="measure only this server; repeatable")
    parser.add_argument("--rounds", type=int, help=f"runs of each server under each workload (default {FULL.rounds})")
    parser.add_argument("--seconds", type=float, help=f"duration of a run (default {FULL.seconds:g})")
    parser.add_argument("--quick", action="store_true", help="one short round, to try it out")
    parser.add_argument(
        "--output", type=Path, default=Path("build/benchmarks"), metavar="FOLDER", help="default %(default)s"
    )
    parser.add_argument("--list", action="store_true", help="list the workloads and servers")
    options = parser.parse_args(arguments)
    defaults = QUICK if options.quick else FULL
    options.connections = defaults.connections
    options.rounds = defaults.rounds if options.rounds is None else options.rounds
    options.seconds = defaults.seconds if options.seconds is None else options.seconds
    if options.workers and options.scale:
        parser.error(f"--scale {options.scale[0]}: expected without --workers")
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: expected 1 or more")
    if not 0 < options.seconds <= 60:
        parser.error(f"--seconds {options.seconds:g}: expected more than 0 and at most 60")
    return options


def listing(known: dict[str, Peer]) -> str:
    """
    List the workloads and servers.
    """
    lines = [
        "workloads:",
        *(f"  {name:<20} {workload.description}" for name, workload in ALL_WORKLOADS.items()),
        "peers:",
    ]
    for name, peer in known.items():
        missing = f" ({peer.missing} is not installed)" if peer.missing else ""
        lines.append(f"  {name:<20} {peer.description}{missing}")
    return "\n".join(lines)


def selectPeers(known: Mapping[str, Peer], options: argparse.Namespace, workloads: Sequence[Workload]) -> list[Peer]:
    """
    Select the servers to measure: those of the options, or all that have a service of the workloads.
    """
    if options.peer:
        return [known[name] for name in options.peer]
    services = {workload.service for workload in workloads}
    return [peer for peer in known.values() if peer.services & services and (peer.workers or not options.workers)]


def makeCases(
    folder: Path,
    options: argparse.Namespace,
    workloads: Sequence[Workload],
    servers: Sequence[Peer],
    unmeasured: dict[str, str],
) -> list[Case]:
    """
    Make the cases of a round: with one worker on a core of its own; with C{--workers}, each deployment.

    @param folder: the folder of the compiled programs.
    @param unmeasured: receives the reason if CPU quotas cannot be set.
    """
    if options.workers and (reason := quotaExclusion()):
        unmeasured["CPU quotas"] = reason
    return [
        Case(Benchmark(folder, options.seconds, deployment), workload, peer)
        for workload in workloads
        for peer in servers
        for deployment in (deployments(workload, "CPU quotas" not in unmeasured) if options.workers else [PINNED])
    ]


def main(arguments: list[str] | None = None) -> int:
    """
    Run the comparison, and write the report.

    @return: the exit status: 1 if nothing was measured, 130 after an interrupt.
    """
    known = peers()
    options = parseOptions(known, arguments)
    if options.list:
        print(listing(known))
        return 0
    if not sys.platform.startswith("linux"):
        print(f"benchmarks: {sys.platform}: expected Linux, with epoll and /proc", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    maxDescriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (maxDescriptors, maxDescriptors))
    series = [workload.name for name in options.scale or () for workload in SCALES[name].values()]
    names = [*(options.workload or ()), *series] or (WORKERS_WORKLOADS if options.workers else WORKLOADS)
    workloads = [capToDescriptorLimit(ALL_WORKLOADS[name], options.connections) for name in names]
    unmeasured: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="benchmarks") as folder:
        try:
            build(Path(folder))
        except BuildError as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 1
        cases = makeCases(Path(folder), options, workloads, selectPeers(known, options, workloads), unmeasured)
        runs = runAll(cases, options.rounds, unmeasured)
    isPinned = any(case.benchmark.cores for case in cases)
    settings = {"rounds": options.rounds, "seconds": options.seconds, "pinned": "yes" if isPinned else "no"}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    report = (WorkersReport if options.workers else Report)(date, describe(), settings, runs, unmeasured)
    print(report.markdown())
    status = 130 if REMAINING_RUNS in unmeasured else int(not runs)
    if not runs:
        return status
    report.write(options.output)
    try:
        draw = plotWorkers if options.workers else plotScales if options.scale else plot
        draw(report, options.output / "results.svg")
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
    print(f"written to {options.output}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

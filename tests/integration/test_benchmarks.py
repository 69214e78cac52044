"""
The benchmarks: their arithmetic, their tables, and one short run.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.measure import Run
from benchmarks.peers import Peer, peers
from benchmarks.report import Report
from benchmarks.summary import medianRatio, summarize
from benchmarks.workloads import ALL_WORKLOADS, WORKLOADS, capToDescriptorLimit
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.twistd import ROOT, environment

ON_LINUX = sys.platform.startswith("linux")


def runs(peer: str, *cpus: float, workload: str = "tcp10") -> list[Run]:
    """
    Make runs of a server, one per round, with these processor times per unit.
    """
    run = Run(workload=workload, peer=peer, round=0, units=1000, cpu=0, rate=5e4, p50=20, p99=90.5, memory=2048, lost=1)
    return [replace(run, round=number, cpu=cpu) for number, cpu in enumerate(cpus, 1)]


def report(*measured: Run, **unmeasured: str) -> Report:
    """
    Make a report of these runs.

    @param unmeasured: reasons, by workload and server, joined by an underscore.
    """
    machine = {"processor": "Abacus, 2 cores", "kernel": "Linux 6.1", "python": "CPython 3.11.7", "uvloop": "0.23.0"}
    reasons = {name.replace("_", " "): reason for name, reason in unmeasured.items()}
    return Report("2026-11-21T12:00:00+00:00", machine, {"rounds": 3}, measured, reasons)


@pytest.mark.parametrize(
    ("cpus", "baseline", "ratio"),
    [
        # The median of the ratios, not the ratio of the medians.
        ((2, 40, 9), (1, 10, 3), 3),
        # Only rounds in which both servers were measured count.
        ((2, 40), (1,), 2),
        ((), (1,), None),
        ((2,), (0,), None),
    ],
)
def test_medianRatio(cpus: tuple[float, ...], baseline: tuple[float, ...], ratio: float | None) -> None:
    """
    The ratio to a baseline is computed round by round.
    """
    assert medianRatio(runs("a", *cpus), runs("c", *baseline)) == ratio


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=9))
def test_ratioToItself(cpus: list[float]) -> None:
    """
    The ratio of a server to itself is 1.
    """
    assert medianRatio(runs("a", *cpus), runs("a", *cpus)) == 1


def test_summary() -> None:
    """
    A summary has medians, the sum of losses, and the ratios to the baselines measured; the cheapest server is first.
    """
    row = summarize(runs("a", 5, 1, 100))["tcp10"]["a"]
    assert (row.cpu, row.rounds, row.lost, row.p50) == (5, 3, 3, 20)
    found = summarize([*runs("a", 3), *runs("c", 2), *runs("b", 1), *runs("uvloop", 6, workload="udp")])
    assert list(found["tcp10"]) == ["b", "c", "a"]
    assert found["tcp10"]["a"].ratios == {"c": 1.5}
    assert found["udp"]["uvloop"].ratios == {"uvloop": 1}
    streams = [replace(run, p50=None, p99=None) for run in runs("a", 1, 2, workload="stream")]
    assert summarize(streams)["stream"]["a"].p99 is None


def test_markdown() -> None:
    """
    The tables contain the summaries, the machine and the reasons for missing measurements. All rows have as many cells
    as the head.
    """
    measured = [*runs("c", 2), *runs("asyncio", 3), *runs("asyncio", 30, workload="idle")]
    text = report(*measured, udp_socat="no udp service").markdown()
    for line in (
        "| asyncio | 3.00 | 1.50 | 50,000 | 20.0 | 90.5 | 2.00 | 1 |\n",
        "| asyncio | 1.50 |",
        "2026-11-21, Abacus, 2 cores, Linux 6.1, CPython 3.11.7, uvloop 0.23.0",
        "* udp socat: no udp service\n",
    ):
        assert line in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_files(tmp_path: Path) -> None:
    """
    The JSON file holds each run and the summaries; the Markdown file holds the tables.
    """
    whole = report(*runs("c", 2, 4))
    whole.write(tmp_path)
    written = json.loads((tmp_path / "results.json").read_text())
    assert [Run(**run) for run in written["runs"]] == list(whole.runs)
    assert written["summary"]["tcp10"]["c"]["cpu"] == 3
    assert (tmp_path / "results.md").read_text() == whole.markdown()


def test_idle() -> None:
    """
    Idle connections are compared by their memory.
    """
    idle = [replace(run, idle=0.0, memory=run.cpu) for run in runs("c", 4, 8, workload="idle")]
    more = [replace(run, idle=0.0, memory=2 * run.cpu, cpu=1, peer="b") for run in runs("b", 4, 8, workload="idle")]
    assert summarize([*idle, *more])["idle"]["b"].ratios == {"c": 2}
    assert "| *c* | 6.00 KiB/connection |" in report(*idle, *more).markdown()


@pytest.mark.parametrize(
    ("name", "workloads", "texts"),
    [
        ("plot", ("tcp10", "udp"), [">asyncio<", ">1.50<", "Abacus, 2 cores", "2026-11-21"]),
        ("plotScales", ("tcp10", "tcp1000", "sources1", "sources100000"), [">asyncio<", ">connections<", ">sources<"]),
    ],
)
def test_plots(tmp_path: Path, name: str, workloads: list[str], texts: list[str]) -> None:
    """
    The charts name each server; bar charts show its ratio, the machine and the date, line charts the number that grows.
    """
    pytest.importorskip("matplotlib")
    from benchmarks import plot

    measured = [run for each in workloads for run in (*runs("c", 2, workload=each), *runs("asyncio", 3, workload=each))]
    getattr(plot, name)(report(*measured), tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert [text for text in texts if text not in drawn] == []


def test_workloads() -> None:
    """
    A stream is counted in KiB, all else in messages; a maximum number of connections does not limit datagrams.
    """
    assert WORKLOADS["stream"].units(3, 4096) == 4
    assert WORKLOADS["udp"].units(3, 192) == 3
    assert capToDescriptorLimit(WORKLOADS["idle"], 7).concurrency == 7
    assert capToDescriptorLimit(WORKLOADS["udp"], 7).concurrency == 40


def test_exclusion() -> None:
    """
    A server does not run a workload that needs another service, that it excludes, or if it is not installed.
    """
    peer = Peer("inetd", "", frozenset({"tcp"}), excluded={"idle": "a process each"})
    assert peer.exclusion(WORKLOADS["tcp1"]) is None
    assert peer.exclusion(WORKLOADS["udp"]) == "no udp service"
    assert peer.exclusion(WORKLOADS["idle"]) == "a process each"
    assert replace(peer, missing="inetd").exclusion(WORKLOADS["tcp1"]) == "inetd is not installed"


def test_peers() -> None:
    """
    Each server has a description and known services, and excludes known workloads only.
    """
    known = peers()
    assert {"c", "sockservices", "sockservices-plain", "twisted", "asyncio", "uvloop"} <= known.keys()
    for peer in known.values():
        assert peer.description, peer
        assert peer.services <= {"tcp", "udp", "welcome", "greet"}
        assert peer.workers in {None, "processes", "threads"}
        assert peer.excluded.keys() <= WORKLOADS.keys()


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """
    Run C{python -m benchmarks} to its end.

    @param variables: environment variables.
    """
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not (ON_LINUX and shutil.which("cc")), reason="needs Linux and a C compiler (cc)")
def test_quick(tmp_path: Path) -> None:
    """
    A short round of two servers writes a summary of both, and leaves no temporary file.
    """
    output, temporary = tmp_path / "output", tmp_path / "temporary"
    temporary.mkdir()
    workloads = ("tcp10", "udp1", "udp200", "sources10")
    options = ["--peer", "c", "--peer", "asyncio", "--seconds", "0.1", "--rounds", "1"]
    options += [option for workload in workloads for option in ("--workload", workload)]
    ended = command("--quick", *options, "--output", str(output), TMPDIR=str(temporary))
    assert ended.returncode == 0, ended.stderr
    assert list(temporary.iterdir()) == []
    assert "[2/8] round 1 tcp10 asyncio: " in ended.stderr
    assert "| asyncio |" in ended.stdout
    summary = json.loads((output / "results.json").read_text())["summary"]
    assert tuple(summary) == workloads
    for workload in workloads:
        assert summary[workload].keys() == {"c", "asyncio"}
        for row in summary[workload].values():
            assert min(row["cpu"], row["rate"], row["p50"], row["memory"]) > 0
            # A busy machine drops datagrams.
            assert row["lost"] == 0 or workload != "tcp10"


@pytest.mark.skipif(not ON_LINUX, reason="needs Linux")
def test_noCompiler(tmp_path: Path) -> None:
    """
    Without a C compiler, the command fails with one line.
    """
    ended = command("--quick", PATH=str(tmp_path))
    assert ended.returncode == 1
    assert re.fullmatch(r"benchmarks: cc: not found on PATH; expected a C compiler .*\n", ended.stderr)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """
    C{--list} lists the workloads and servers.
    """
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    for name in (*ALL_WORKLOADS, *peers()):
        assert re.search(rf"(?m)^  {re.escape(name)} +\S", listed)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [("--rounds", "0", "expected 1 or more"), ("--seconds", "61", "expected more than 0 and at most 60")],
)
def test_invalidOptions(option: str, value: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A number out of range is an error that names the option, the value and the range.
    """
    with pytest.raises(SystemExit, match="2"):
        main([option, value])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(f"error: {option} {value}: {expected}\n")

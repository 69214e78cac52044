"""
The benchmarks of several workers: their arithmetic, their tables, CPU quotas, and one short run.
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
from benchmarks.cpu_quota import cpuQuota
from benchmarks.measure import Run
from benchmarks.peers import Peer
from benchmarks.server import RunError
from benchmarks.workers import deployments, quotaExclusion, summarizeWorkers
from benchmarks.workers_report import WorkersReport
from benchmarks.workloads import WORKERS_WORKLOADS

from tests.support.twistd import ROOT, environment

ON_LINUX = sys.platform.startswith("linux")


def runs(peer: str, *rates: tuple[float, float], quota: float | None = None) -> list[Run]:
    """
    Make runs of a server, with these rates of one and of two workers in each round.
    """
    run = Run(workload="tcp10", peer=peer, round=0, units=1e3, cpu=10, rate=0, p50=20, p99=90, memory=2048, lost=1)
    run = replace(run, quota=quota, leastShare=0.5, mostShare=0.51, loadShare=0.7)
    return [
        replace(run, round=number, workers=workers, rate=rate, cpu=10 + workers)
        for number, pair in enumerate(rates, 1)
        for workers, rate in enumerate(pair, 1)
    ]


def report(*measured: Run) -> WorkersReport:
    """
    Make a report of these runs.
    """
    machine = {"processor": "Abacus, 2 cores", "nginx": "1.22.1"}
    return WorkersReport("2026-11-21T12:00:00+00:00", machine, {"rounds": 3}, measured, {"CPU quotas": "not permitted"})


def test_summary() -> None:
    """
    A summary has the median of each number of workers, and the medians of the ratios of each round.
    """
    (row,) = summarizeWorkers(runs("a", (100, 200), (10, 10), (30, 90)))["tcp10"]["a"]
    assert (row.rate, row.cpu) == ({1: 30, 2: 90}, {1: 11, 2: 12})
    assert (row.rateRatio, row.cpuRatio) == (2, 12 / 11)
    assert (row.leastShare, row.mostShare, row.loadShare, row.lost) == (0.5, 0.51, {1: 0.7, 2: 0.7}, 6)


def test_anInterruptedRound() -> None:
    """
    Without runs of two workers, there are no ratios.
    """
    (row,) = summarizeWorkers(runs("a", (100, 200))[:1])["tcp10"]["a"]
    assert (row.rate, row.rateRatio, row.mostShare) == ({1: 100, 2: None}, None, None)


def test_markdown() -> None:
    """
    The tables contain the ratios without and with a quota, the summaries and the reasons for missing measurements. All
    rows have as many cells as the head.
    """
    text = report(*runs("a", (1000, 1100)), *runs("a", (500, 1000), quota=0.25), *runs("b", (100, 150))).markdown()
    for line in (
        "| rate of 2 workers, 1 worker = 1; no quota | tcp10 |\n| --- | --: |\n| a | 1.10 |\n| b | 1.50 |\n",
        "| rate of 2 workers, 1 worker = 1; with a CPU quota | tcp10 |\n| --- | --: |\n| a | 2.00 |\n| b | - |\n",
        "| a | - | 1,000 | 1,100 | 1.10 | 11.0 | 12.0 | 1.09 | 50% | 51% | 70% | 70% | 2 |\n",
        "| a | 25% | 500 | 1,000 | 2.00 | 11.0 | 12.0 | 1.09 | 50% | 51% | 70% | 70% | 2 |\n",
        "2026-11-21, Abacus, 2 cores, nginx 1.22.1",
        "* CPU quotas: not permitted\n",
    ):
        assert line in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_files(tmp_path: Path) -> None:
    """
    The JSON file holds each run, and the summaries by quota.
    """
    whole = report(*runs("a", (1000, 1100)), *runs("a", (500, 1000), quota=0.25))
    whole.write(tmp_path)
    written = json.loads((tmp_path / "results.json").read_text())
    assert [Run(**run) for run in written["runs"]] == list(whole.runs)
    ratios = {quota: row["rateRatio"] for quota, row in written["summary"]["tcp10"]["a"].items()}
    assert ratios == {"no quota": 1.1, "with a CPU quota": 2}


def test_plot(tmp_path: Path) -> None:
    """
    The charts name each server and its ratio, without and with a quota.
    """
    pytest.importorskip("matplotlib")
    from benchmarks.plot import plotWorkers

    plotWorkers(report(*runs("a", (1000, 1100)), *runs("a", (500, 1000), quota=0.25)), tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    expected = (">tcp10 a<", ">1.10<", ">2.00<", ">no quota<", ">with a CPU quota<", "Abacus")
    assert [text for text in expected if text not in drawn] == []


def test_deployments() -> None:
    """
    Servers run with one and with two workers, not pinned; where quotas cannot be set, without them.
    """
    for workload in WORKERS_WORKLOADS.values():
        without, quotas = deployments(workload, False), deployments(workload, True)
        assert [(each.workers, each.quota) for each in without] == [(1, None), (2, None)]
        assert [(each.workers, bool(each.quota)) for each in quotas] == [(1, False), (2, False), (1, True), (2, True)]
        assert not any(each.pinned for each in quotas)


def test_exclusion() -> None:
    """
    A server that has one worker does not run with two.
    """
    peer = Peer("inetd", "", frozenset({"tcp"}))
    assert peer.exclusion(WORKERS_WORKLOADS["tcp10"], 1) is None
    assert peer.exclusion(WORKERS_WORKLOADS["tcp10"], 2) == "it has one worker only"
    assert replace(peer, workers="processes").exclusion(WORKERS_WORKLOADS["tcp10"], 2) is None


def groups(name: str) -> list[Path]:
    """
    Find the cgroups of this name.
    """
    return [path for path in (Path("/sys/fs/cgroup", name), Path("/sys/fs/cgroup/cpu", name)) if path.is_dir()]


@pytest.mark.skipif(not ON_LINUX or quotaExclusion() is not None, reason="needs Linux, root and cgroups")
def test_quota() -> None:
    """
    A process is in a cgroup of its own while its processor time is limited, and nothing remains of the group.
    """
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        cgroups, name = Path(f"/proc/{process.pid}/cgroup"), f"benchmarks-{process.pid}"
        with cpuQuota(process.pid, 0.25):
            (group,) = groups(name)
            assert f"/{name}\n" in cgroups.read_text()
            limits = [group / file for file in ("cpu.cfs_quota_us", "cpu.max") if (group / file).exists()]
            assert limits[0].read_text().split()[0] == "2500"
        assert name not in cgroups.read_text()
        assert groups(name) == []
        process.kill()


@pytest.mark.parametrize("hierarchy", [".", "cpu"])
def test_noQuota(hierarchy: str, tmp_path: Path) -> None:
    """
    Without cgroups, or without the cpu controller, the error names the file, and nothing remains.
    """
    mount = tmp_path / "cgroup"
    with pytest.raises(RunError, match=r"/cgroup/benchmarks-1: No such file or directory; expected root, and cgroups"):
        cpuQuota(1, 0.25, mount).__enter__()
    (mount / hierarchy).mkdir(parents=True)
    with pytest.raises(RunError, match=r"/benchmarks-1/cpu\.\w+: No such file or directory"):
        cpuQuota(1, 0.25, mount).__enter__()
    assert list((mount / hierarchy).glob("benchmarks*")) == []


@pytest.mark.skipif(not (ON_LINUX and shutil.which("cc")), reason="needs Linux and a C compiler (cc)")
def test_quick(tmp_path: Path) -> None:
    """
    A short round runs each server with one and with two workers, which share the connections.
    """
    output = tmp_path / "output"
    options = ["--peer", "c", "--peer", "sockservices", "--workload", "greet", "--seconds", "0.1"]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--workers", "--quick", *options, "--output", str(output)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    written = json.loads((output / "results.json").read_text())
    quotas = {"no quota"} if "CPU quotas" in written["unmeasured"] else {"no quota", "with a CPU quota"}
    assert written["unmeasured"].keys() <= {"CPU quotas"}
    assert written["summary"]["greet"].keys() == {"c", "sockservices"}
    for rows in written["summary"]["greet"].values():
        assert rows.keys() == quotas
        for row in rows.values():
            assert min(*row["rate"].values(), *row["cpu"].values(), row["leastShare"]) > 0


def test_series(capsys: pytest.CaptureFixture[str]) -> None:
    """
    C{--workers} and C{--scale} exclude each other.
    """
    with pytest.raises(SystemExit, match="2"):
        main(["--workers", "--scale", "connections"])
    assert capsys.readouterr().err.endswith("error: --scale connections: expected without --workers\n")

"""
The comparison with other servers: its arithmetic, its tables, and one short run of all of it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import figures, ratio
from benchmarks.measure import Run
from benchmarks.peers import Peer, peers
from benchmarks.report import Report
from benchmarks.workloads import WORKLOADS, affordable
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.twistd import ROOT, environment

costs = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=9)


def made(peer: str, *cpus: float, workload: str = "tcp10") -> list[Run]:
    """
    Runs of a server that cost so much, one a round.
    """
    one = Run(workload=workload, peer=peer, round=0, units=1000, cpu=0, rate=5e4, p50=20, p99=90.5, memory=2048, lost=1)
    return [replace(one, round=number, cpu=cpu) for number, cpu in enumerate(cpus, 1)]


def report(*runs: Run, **unmeasured: str) -> Report:
    """
    A report of those runs.
    """
    machine = {"processor": "Abacus, 2 cores", "kernel": "Linux 6.1", "python": "CPython 3.11.7", "uvloop": "0.23.0"}
    whole = {name.replace("_", " "): reason for name, reason in unmeasured.items()}
    return Report("2026-11-21T12:00:00+00:00", machine, {"rounds": 3}, runs, whole)


def folderFor(test: SynchronousTestCase) -> Path:
    """
    A folder that is there as long as the test.
    """
    folder = Path(tempfile.mkdtemp())
    test.addCleanup(shutil.rmtree, folder)
    return folder


class RatioTests(SynchronousTestCase):
    """
    How a server compares with another.
    """

    def test_roundByRound(self) -> None:
        """
        It is the median of the rounds' ratios, not the ratio of the medians: a slow round is slow for both.
        """
        self.assertEqual(ratio(made("a", 2, 40, 9), made("c", 1, 10, 3)), 3)

    def test_commonRoundsOnly(self) -> None:
        """
        A round that one of the two has not finished says nothing.
        """
        self.assertEqual(ratio(made("a", 2, 40), made("c", 1)), 2)
        self.assertIsNone(ratio(made("a", 2)[:0], made("c", 1)))
        self.assertIsNone(ratio(made("a", 2), made("c", 0)))

    @settings(deadline=None)
    @given(costs)
    def test_itself(self, cpus: list[float]) -> None:
        """
        Every server costs as much as itself.
        """
        self.assertEqual(ratio(made("a", *cpus), made("a", *cpus)), 1)


class FiguresTests(SynchronousTestCase):
    """
    The figures of all runs.
    """

    def test_medians(self) -> None:
        """
        A figure is the median of its rounds; what was lost is summed up.
        """
        row = figures(made("a", 5, 1, 100))["tcp10"]["a"]
        self.assertEqual((row.cpu, row.rounds, row.lost, row.p50), (5, 3, 3, 20))

    def test_cheapestFirst(self) -> None:
        """
        Servers stand in the order of what they cost.
        """
        found = figures([*made("a", 3), *made("b", 1), *made("c", 2)])
        self.assertEqual(list(found["tcp10"]), ["b", "c", "a"])

    def test_ratios(self) -> None:
        """
        There is a ratio to each of C and uvloop that was measured.
        """
        found = figures([*made("a", 3), *made("c", 2), *made("uvloop", 6, workload="udp")])
        self.assertEqual(found["tcp10"]["a"].ratios, {"c": 1.5})
        self.assertEqual(found["udp"]["uvloop"].ratios, {"uvloop": 1})

    def test_unmeasuredLatency(self) -> None:
        """
        A stream has no messages, and so no latencies.
        """
        runs = [replace(run, p50=None, p99=None) for run in made("a", 1, 2, workload="stream")]
        self.assertIsNone(figures(runs)["stream"]["a"].p99)


class ReportTests(SynchronousTestCase):
    """
    What is told of them.
    """

    def test_markdown(self) -> None:
        """
        Every line of a table has as many cells as its head, and the figures stand in it.
        """
        text = report(*made("c", 2), *made("asyncio", 3), *made("asyncio", 30, workload="idle")).markdown()
        self.assertIn("| asyncio | 3.00 | 1.50 | 50,000 | 20.0 | 90.5 | 2.00 | 1 |", text)
        self.assertIn("| asyncio | 1.50 |", text)
        self.assertIn("2026-11-21, Abacus, 2 cores, Linux 6.1, CPython 3.11.7, uvloop 0.23.0", text)
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            self.assertEqual(len({line.count("|") for line in table.splitlines()}), 1, table)

    def test_unmeasured(self) -> None:
        """
        What was not measured is told, and why.
        """
        text = report(*made("c", 2), udp_socat="no udp service").markdown()
        self.assertIn("* udp socat: no udp service\n", text)

    def test_json(self) -> None:
        """
        The file has each run as it was, and the figures.
        """
        folder = folderFor(self)
        whole = report(*made("c", 2, 4))
        whole.write(folder)
        written = json.loads((folder / "results.json").read_text())
        self.assertEqual([Run(**run) for run in written["runs"]], list(whole.runs))
        self.assertEqual(written["figures"]["tcp10"]["c"]["cpu"], 3)
        self.assertEqual((folder / "results.md").read_text(), whole.markdown())

    def test_plot(self) -> None:
        """
        The picture names every server, what it was measured on, and when.
        """
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise SkipTest("matplotlib is not installed") from None
        from benchmarks.plot import plot

        path = folderFor(self) / "plot.svg"
        plot(report(*made("c", 2), *made("asyncio", 3), *made("c", 9, workload="udp")), path)
        for words in (">asyncio<", ">1.50<", "Abacus, 2 cores", "2026-11-21"):
            self.assertIn(words, path.read_text())


class WorkloadTests(SynchronousTestCase):
    """
    Loads, and the servers that may have them.
    """

    def test_units(self) -> None:
        """
        A stream is counted in KiB, all else in messages.
        """
        self.assertEqual(WORKLOADS["stream"].units(3, 4096), 4)
        self.assertEqual(WORKLOADS["udp"].units(3, 192), 3)

    def test_affordable(self) -> None:
        """
        There are no more connections than asked for; datagrams in flight are none.
        """
        self.assertEqual(affordable(WORKLOADS["idle"], 7).width, 7)
        self.assertEqual(affordable(WORKLOADS["udp"], 7).width, 40)

    def test_refuses(self) -> None:
        """
        A server is spared what it does not serve, what it is unfit for, and all where it is not installed.
        """
        peer = Peer("inetd", "", frozenset({"tcp"}), unfit={"idle": "a process each"})
        self.assertIsNone(peer.refuses(WORKLOADS["tcp1"]))
        self.assertEqual(peer.refuses(WORKLOADS["udp"]), "no udp service")
        self.assertEqual(peer.refuses(WORKLOADS["idle"]), "a process each")
        self.assertEqual(replace(peer, missing="inetd").refuses(WORKLOADS["tcp1"]), "inetd is not installed")

    def test_everyPeer(self) -> None:
        """
        Every server says what it is and serves something, and is spared only workloads that exist.
        """
        known = peers()
        self.assertLessEqual({"c", "sockservices", "sockservices-plain", "twisted", "asyncio", "uvloop"}, known.keys())
        for peer in known.values():
            self.assertTrue(peer.about, peer)
            self.assertLessEqual(peer.services, {"tcp", "udp", "welcome"})
            self.assertLessEqual(peer.unfit.keys(), WORKLOADS.keys())


def benchmarks(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """
    C{python -m benchmarks}, to its end.
    """
    command = [sys.executable, "-m", "benchmarks", *arguments]
    env = environment(**more)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


class CommandTests(SynchronousTestCase):
    """
    The whole of it, as a user runs it.
    """

    def test_quick(self) -> None:
        """
        One short round of two servers ends with figures for both, and leaves nothing but what it was told to write.
        """
        if not sys.platform.startswith("linux") or not shutil.which("cc"):
            raise SkipTest("Linux and a C compiler (cc) are needed")
        output, temporary = folderFor(self), folderFor(self)
        chosen = ("--peer", "c", "--peer", "asyncio", "--workload", "tcp10", "--seconds", "0.3", "--rounds", "1")
        ended = benchmarks("--quick", *chosen, "--output", str(output), TMPDIR=str(temporary))
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(list(temporary.iterdir()), [])
        self.assertIn("[2/2] round 1 tcp10 asyncio: ", ended.stderr)
        rows = json.loads((output / "results.json").read_text())["figures"]["tcp10"]
        self.assertEqual(rows.keys(), {"c", "asyncio"})
        for row in rows.values():
            self.assertGreater(min(row["cpu"], row["rate"], row["p50"], row["memory"]), 0)
            self.assertEqual(row["lost"], 0)
        self.assertIn("| asyncio |", ended.stdout)

    def test_noCompiler(self) -> None:
        """
        Without a C compiler it says so in one line.
        """
        if not sys.platform.startswith("linux"):
            raise SkipTest("Linux is needed")
        ended = benchmarks("--quick", PATH=str(folderFor(self)))
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r"\Abenchmarks: a C compiler is needed, and there is no cc .*\n\Z")

    def test_list(self) -> None:
        """
        It lists what there is to choose from.
        """
        listed = benchmarks("--list").stdout
        for name in (*WORKLOADS, *peers()):
            self.assertRegex(listed, rf"(?m)^  {re.escape(name)} +\S")

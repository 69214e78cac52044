"""
Tests for L{sockservices.pytest_plugin}, in pytest subprocesses.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import sockservices

#: Runs pytest with these arguments, in an empty directory.
Run = Callable[..., pytest.RunResult]

#: A conftest.py that writes the state of the process to a file, after the teardown of all other fixtures: the number of
#: threads, and whether Twisted and the global reactor are imported.
CONFTEST = """
import sys, threading
from pathlib import Path
import pytest

@pytest.fixture(scope="session", autouse=True)
def recordState():
    yield
    state = threading.active_count(), "twisted" in sys.modules, "twisted.internet.reactor" in sys.modules
    Path("state").write_text(repr(state))
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """
    Run pytest in a subprocess, with no plugin but this one. The package need not be installed.
    """
    root = str(Path(sockservices.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(CONFTEST)

    def run(*arguments: str, load: tuple[str, ...] = ("-p", "sockservices.pytest_plugin")) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*load, "-W", "error", "-p", "no:cacheprovider", *arguments)

    return run


def test_terminated(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    SIGTERM ends the run as it does without this plugin, and the folder of a Unix socket is removed.
    """
    folder = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    pytester.makepyfile(
        """
        import os, signal
        from pathlib import Path

        def test_this(sockservice):
            path = Path(sockservice("echo", "unix").address)
            assert path.is_socket() and path.parent.parent.name == "temporary"
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        """
    )
    assert run().ret == -signal.SIGTERM
    assert list(folder.glob("sockservices-*")) == []


@pytest.mark.parametrize(("document", "more"), [("testing.md", 1), ("faults.md", 0)])
def test_document(pytester: pytest.Pytester, run: Run, document: str, more: int) -> None:
    """
    The examples in README.md and in each document pass as one test module. After them no thread is left, and the global
    reactor is not installed.

    @param more: how many tests the parameters of the examples add.
    """
    root = Path(__file__).parents[2]
    readme = (root / "README.md").read_text().partition("\n## Test a client with it\n")[2].partition("\n## ")[0]
    text = (root / "docs" / document).read_text().partition("\n## For Twisted programmers")[0]
    examples = re.findall(r"^```python\n(.*?)^```", readme + text, re.MULTILINE | re.DOTALL)
    pytester.makepyfile("\n".join(examples))
    result = run()
    result.assert_outcomes(passed=sum(len(re.findall(r"^def test_", each, re.MULTILINE)) for each in examples) + more)
    assert (pytester.path / "state").read_text() == "(1, True, False)"


def test_teardownFreesEverything(pytester: pytest.Pytester, run: Run) -> None:
    """
    The teardown of a test closes its servers and removes their files, also while a client is connected: the number of
    descriptors is the same at the start of each test. The plugin refers to nothing of an earlier test.
    """
    pytester.makepyfile(
        """
        import gc, os, socket, weakref
        from pathlib import Path
        import pytest

        counts, clients, paths, references = set(), [], [], []

        @pytest.mark.parametrize("number", range(20))
        def test_opens(sockservice, number):
            counts.add(len(os.listdir("/proc/self/fd")))
            references.append(weakref.ref(sockservice))
            while clients:
                clients.pop().close()
            paths.append(sockservice("echo", "unix").address)
            sockservice("echo", "udp")
            sockservice("echo", "unixgram")
            clients.append(socket.create_connection(sockservice("chargen", "tcp").address))

        def test_isClosed():
            with clients.pop() as client, pytest.raises(ConnectionResetError):
                for _ in range(1000):
                    client.recv(2**16)
            # The first test starts without a reactor, and without the client of an earlier test.
            assert len(counts) == 2, counts
            assert not [path for path in paths if Path(path).parent.exists()]
            gc.collect()
            assert not [reference for reference in references if reference()]
        """
    )
    run().assert_outcomes(passed=21)
    assert (pytester.path / "state").read_text() == "(1, True, False)"


def test_reportOfFailedTest(pytester: pytest.Pytester, run: Run) -> None:
    """
    The report of a failed test, set-up or teardown has the log of the test's servers, and no lines of other code.
    Reports of other tests have no log. An unknown service name is reported in one line, which lists the names.
    """
    pytester.makepyfile(
        """
        import socket
        import pytest
        from twisted.logger import Logger

        def exchange(server):
            with socket.create_connection(server.address) as client:
                client.sendall(b"hello")
                client.recv(5)
            server.wait(1)

        def test_passes(sockservice):
            exchange(sockservice("upper"))

        def test_fails(sockservice):
            exchange(sockservice("echo"))
            Logger("sockservices").info("by other code")
            assert False

        def test_failsWithoutServers():
            assert False

        def test_typingError(sockservice):
            sockservice("ehco", "tcp")

        @pytest.fixture
        def badStart(sockservice):
            sockservice("users", "udp")
            raise LookupError

        def test_start(badStart):
            pass

        @pytest.fixture
        def badEnd(sockservice):
            yield sockservice("whoami", "udp")
            raise LookupError

        def test_end(badEnd):
            pass
        """
    )
    result = run("-rP")
    result.assert_outcomes(passed=2, failed=3, errors=2)
    log = result.stdout.str()
    assert log.count("- sockservices log -") == 3
    result.stdout.fnmatch_lines(["E *ValueError: no service 'ehco': expected one of chargen, daytime, *, whoami"])
    result.stdout.fnmatch_lines(
        [
            "*- sockservices log -*",
            "users listening on udp:127.0.0.1:*",
            "*- sockservices log -*",
            "whoami listening on udp:127.0.0.1:*",
            "*- sockservices log -*",
            "echo listening on tcp:127.0.0.1:*",
            "echo tcp 127.0.0.1:* done: *, 5 bytes received, 5 sent",
        ]
    )
    assert "upper listening" not in log
    assert "\nby other code" not in log


def test_unusedFixtureImportsNothing(pytester: pytest.Pytester, run: Run) -> None:
    """
    A run without tests that use the fixture does not import Twisted, and starts no thread. C{--fixtures}
    describes the fixture.
    """
    pytester.makepyfile("def test_something():\n    pass")
    run().assert_outcomes(passed=1)
    assert (pytester.path / "state").read_text() == "(1, False, False)"
    fixtures = run("--fixtures").stdout
    fixtures.fnmatch_lines(["sockservice -- *", "    Starts real servers, which listen until the end of the test."])
    fixtures.no_fnmatch_line("*_sockservices*")


def test_pluginIsLoadedAutomatically(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The entry point of the installed package makes pytest load the plugin. C{-p sockservices} as well does no harm.
    """
    if not [point for point in entry_points(group="pytest11") if point.value == "sockservices.pytest_plugin"]:
        pytest.skip("the package is not installed with its entry points")
    pytester.makepyfile("def test_echo(sockservice):\n    sockservice('echo')")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    for load in ((), ("-p", "sockservices")):
        # Other installed plugins may emit warnings.
        run("-W", "default", load=load).assert_outcomes(passed=1)

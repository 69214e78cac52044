"""
Tests for L{sockservices.pytest_plugin}, in runs of pytest of their own.
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

#: Runs pytest on these words, in a folder of its own.
Run = Callable[..., pytest.RunResult]

#: A conftest.py that tells what is there at the end of a run, when all other fixtures are gone.
WITNESS = """
import sys, threading
from pathlib import Path
import pytest

@pytest.fixture(scope="session", autouse=True)
def witness():
    yield
    found = threading.active_count(), "twisted" in sys.modules, "twisted.internet.reactor" in sys.modules
    Path("witness").write_text(repr(found))
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """
    Run pytest in another process, with this plugin alone, be it installed or not.
    """
    root = str(Path(sockservices.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(WITNESS)

    def run(*words: str, load: tuple[str, ...] = ("-p", "sockservices.pytest_plugin")) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*load, "-W", "error", "-p", "no:cacheprovider", *words)

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


def test_document(pytester: pytest.Pytester, run: Run) -> None:
    """
    The examples in README.md and docs/testing.md pass, as one file of tests; and nothing is left of them when they are
    over: no thread, and no reactor of the process.
    """
    root = Path(__file__).parents[2]
    readme = (root / "README.md").read_text().partition("\n## Test a client with it\n")[2].partition("\n## ")[0]
    text = (root / "docs" / "testing.md").read_text().partition("\n## For Twisted programmers")[0]
    examples = re.findall(r"^```python\n(.*?)^```", readme + text, re.MULTILINE | re.DOTALL)
    pytester.makepyfile("\n".join(examples))
    result = run()
    result.assert_outcomes(passed=sum(example.count("\ndef test_") for example in examples) + 1)
    assert (pytester.path / "witness").read_text() == "(1, True, False)"


def test_eachTestLeavesNothing(pytester: pytest.Pytester, run: Run) -> None:
    """
    What a test has opened is closed before the next one: descriptors are as many as before, also where the client is
    still connected.
    """
    pytester.makepyfile(
        """
        import gc, os, socket
        from pathlib import Path
        import pytest

        counts, clients, paths = set(), [], []

        @pytest.mark.parametrize("number", range(20))
        def test_leaves(sockservice, number):
            counts.add(len(os.listdir("/proc/self/fd")))
            while clients:
                clients.pop().close()
            paths.append(sockservice("echo", "unix").address)
            sockservice("echo", "udp")
            sockservice("echo", "unixgram")
            clients.append(socket.create_connection(sockservice("chargen", "tcp").address))

        def test_left():
            with clients.pop() as client, pytest.raises(ConnectionResetError):
                for _ in range(1000):
                    client.recv(2**16)
            # Before the first test there was no reactor yet, and no client of the test before.
            assert len(counts) == 2, counts
            assert not [path for path in paths if Path(path).parent.exists()]
        """
    )
    run().assert_outcomes(passed=21)
    assert (pytester.path / "witness").read_text() == "(1, True, False)"


def test_keepsNoServers(pytester: pytest.Pytester, run: Run) -> None:
    """
    The plugin keeps nothing of a test that is over.
    """
    pytester.makepyfile(
        """
        import gc, weakref

        references = []

        def test_server(sockservice):
            references.append(weakref.ref(sockservice))

        def test_forgotten():
            gc.collect()
            assert references[0]() is None
        """
    )
    run().assert_outcomes(passed=2)


def test_report(pytester: pytest.Pytester, run: Run) -> None:
    """
    The log of its servers stands in the report of a test that fails, and in no other; what others log does not. It is
    there where the setting up or tearing down fails, too.
    """
    pytester.makepyfile(
        """
        import socket
        import pytest
        from twisted.logger import Logger

        def talk(server):
            with socket.create_connection(server.address) as client:
                client.sendall(b"hello")
                client.recv(5)
            server.wait(1)

        def test_passes(sockservice):
            talk(sockservice("upper"))

        def test_fails(sockservice):
            talk(sockservice("echo"))
            Logger("sockservices").info("by someone else")
            assert False

        def test_failsWithoutServers():
            assert False

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
    result.assert_outcomes(passed=2, failed=2, errors=2)
    log = result.stdout.str()
    assert log.count("- sockservices log -") == 3
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
    assert "\nby someone else" not in log


def test_mistakes(pytester: pytest.Pytester, run: Run) -> None:
    """
    A name that is wrong is told in the one line that pytest sums up a failure with.
    """
    pytester.makepyfile("def test_typo(sockservice):\n    sockservice('ehco', 'tcp')")
    result = run("--tb=line")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ValueError: no service 'ehco'; there are chargen, daytime, *, welcome, whoami"])


def test_importsNothingUnasked(pytester: pytest.Pytester, run: Run) -> None:
    """
    A run whose tests do not use the fixture imports nothing of Twisted, and starts no thread.
    """
    pytester.makepyfile("def test_something():\n    pass")
    run().assert_outcomes(passed=1)
    assert (pytester.path / "witness").read_text() == "(1, False, False)"


def test_isDescribed(pytester: pytest.Pytester, run: Run) -> None:
    """
    C{pytest --fixtures} says what the fixture is for.
    """
    result = run("--fixtures")
    result.stdout.fnmatch_lines(["sockservice -- *", "    Starts real servers, which listen until the test is over."])
    assert "_sockservices" not in result.stdout.str()


def test_isLoadedByItself(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where the package is installed, nothing need be said for the fixture to be there, nor is it harmful to say it.
    """
    if not [point for point in entry_points(group="pytest11") if point.value == "sockservices.pytest_plugin"]:
        pytest.skip("the package is not installed, or was before it had a plugin")
    pytester.makepyfile("def test_echo(sockservice):\n    sockservice('echo')")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    for load in ((), ("-p", "sockservices")):
        # Other plugins may be there, and warn.
        run("-W", "default", load=load).assert_outcomes(passed=1)

"""
C{sockservices ping}.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sockservices.client.ping_statistics import PROBE_SIZE
from tests.support.commands import (
    COMMAND,
    PATIENCE,
    Completed,
    Piped,
    datagramServer,
    ownServer,
    resetAfterData,
    runInProcess,
    streamServer,
    terminal,
    unusedPort,
    waitForExit,
)
from tests.support.sockets import replyFromOtherPort

PING = (*COMMAND, "ping")

#: The line of round-trip times.
TIMES = r"\d+\.\d{3} ms min, \d+\.\d{3} ms median, \d+\.\d{3} ms p99"


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """
    The URLs of the project's own server.
    """
    with ownServer(tmp_path_factory.mktemp("server"), "echo", "upper") as url:
        yield url


@pytest.fixture
def ping(capfd: pytest.CaptureFixture[str]) -> Callable[..., Completed]:
    """
    The command, in this process, without an interval.
    """
    return partial(runInProcess, capfd, "ping", "--interval=0")


def countsLine(url: str, **counts: int) -> str:
    """
    Give the line of counts. Those not given are 0.
    """
    names = ("sent", "returned", "lost", "corrupt", "duplicated", "reordered")
    line = ", ".join(f"{counts.get(name, 0)} {name}" for name in names)
    return f"{url}: {line}, {counts.get('wrongSource', 0)} from the wrong address\n"


def assertSummary(done: Completed, url: str, status: int, error: str = "", **counts: int) -> None:
    """
    Require an exit status, the two lines of the summary, and a line with the error.
    """
    line = countsLine(url, **counts)
    out = done.out.decode()
    assert out.startswith(line), out
    times = TIMES if counts.get("returned") else "no round-trip times: no probe returned"
    assert re.fullmatch(times + "\n", out.removeprefix(line)), out
    assert done.err == (f"sockservices ping: {url}: {error}\n" if status else "")
    assert done.status == status


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
def test_returned(transport: str, ping: Callable[..., Completed], urls: Callable[[str, str], str]) -> None:
    """
    All probes return from C{echo} and from C{upper}.
    """
    for service, probes in (("echo", 5), ("upper", 1)):
        url = urls(service, transport)
        assertSummary(ping(url, f"--count={probes}"), url, 0, sent=probes, returned=probes)


def readProbe(connection: socket.socket) -> bytes:
    """
    Read a probe from a stream.
    """
    return connection.recv(PROBE_SIZE, socket.MSG_WAITALL)


#: Servers, and what follows for one probe: exit status, error line and counts.
FAILURES: list[tuple[Any, int, str, dict[str, int]]] = [
    (unusedPort, 10, "refused: nothing listens at this address", {"lost": 1}),
    (partial(streamServer, resetAfterData), 11, "reset: the peer reset the connection", {"lost": 1}),
    (partial(datagramServer, lambda *_: None), 12, "timeout", {"lost": 1}),
    (partial(streamServer, readProbe), 13, "eof: the peer closed the connection", {"lost": 1}),
    (
        partial(streamServer, lambda remote: remote.sendall(readProbe(remote)[:9])),
        14,
        "short: the peer closed after 9 of 64 bytes",
        {"lost": 1},
    ),
    (
        partial(streamServer, lambda remote: remote.sendall(readProbe(remote)[:-1] + b"!")),
        15,
        "corrupt: a reply differs from its probe",
        {"corrupt": 1},
    ),
    (
        partial(datagramServer, lambda remote, probe, source: remote.sendto(probe[:-1], source)),
        15,
        "corrupt",
        {"corrupt": 1},
    ),
    (partial(datagramServer, replyFromOtherPort), 16, "wrong-source", {"lost": 1, "wrongSource": 1}),
]


@pytest.mark.parametrize(("server", "status", "error", "counts"), FAILURES, ids=[error for _, _, error, _ in FAILURES])
def test_failures(server: Any, status: int, error: str, counts: dict[str, int], ping: Callable[..., Completed]) -> None:
    """
    The last line names the URL and the failure that lost a probe, or the verdict.
    """
    with server() as url:
        assertSummary(ping(url, "--count=1", "--timeout=1"), url, status, error, sent=1, **counts)


def test_noMarkup(ping: Callable[..., Completed], tmp_path: Path) -> None:
    """
    The summary prints brackets and colons of the URL unchanged: they are no markup of rich.
    """
    for name in ("[red]", "[/]", ":smile:"):
        url = f"unix://{tmp_path / name}"
        assertSummary(ping(url, "--count=1"), url, 17, "unreachable: no such file or directory", sent=1, lost=1)


def test_terminal(urls: Callable[[str, str], str]) -> None:
    """
    At a terminal a progress line with a sparkline is shown, and erased before the summary.
    """
    url = urls("echo", "tcp")
    with terminal(*PING, url, "--count=3", "--interval=0.3") as child:
        child.expect(rb"[123] of [123] returned [\xe2\x96\x81-\x88]+ \d+\.\d{3} ms")
        status, out = waitForExit(child)
        assert status == 0
        _, _, summary = out.rpartition(b"\x1b[2K")
        line = countsLine(url, sent=3, returned=3).rstrip()
        assert re.search(rf"^{re.escape(line)}\r\n{TIMES}\r\n$", summary.decode(), re.MULTILINE), out


def test_interrupt(urls: Callable[[str, str], str]) -> None:
    """
    Without a count, probes go on until Ctrl-C, which prints the summary.
    """
    url = urls("echo", "udp")
    with terminal(*PING, url, "--interval=0.01") as child:
        child.expect(rb"\d\d of \d\d returned ")
        child.sendintr()
        status, out = waitForExit(child)
        assert status == 0
        summary = re.search(rf"{re.escape(url)}: (\d+) sent, (\d+) returned, 0 lost, 0 corrupt", out.decode())
        assert summary, out
        assert int(summary[1]) == int(summary[2]) >= 10
        assert re.search(TIMES + "\r\n$", out.decode())


def test_interruptInPipe() -> None:
    """
    In a pipe there is no progress line. At Ctrl-C, probes whose timeout has not passed are not lost.
    """
    firstReturned = Event()
    numbers = count()

    def replyToFirst(server: socket.socket, probe: bytes, source: Any) -> None:
        number = next(numbers)
        if number == 0:
            server.sendto(probe, source)
        elif number == 10:
            firstReturned.set()

    with datagramServer(replyToFirst) as url, Piped("ping", url, "--interval=0.01", "--timeout=1000") as pinging:
        assert firstReturned.wait(PATIENCE)
        pinging.interrupt()
        assert pinging.exited() == (0, "")
        out = pinging.stdout.read().decode()
        line = countsLine(url, sent=1, returned=1)
        assert out.startswith(line)
        assert re.fullmatch(TIMES + "\n", out.removeprefix(line))


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        *((f"--count {value}", "a whole number from 1 to 1000000000") for value in ("0", "1.5", "many")),
        *((f"--interval {value}", "a number of seconds from 0 to 1000000000") for value in ("-1", "nan", "1e10")),
        ("--timeout 0", "a number of seconds above 0, up to 1000000000"),
    ],
)
def test_wrong(option: str, expected: str, ping: Callable[..., Completed]) -> None:
    """
    A wrong value of an option is one line and status 64.
    """
    message = f"sockservices ping: {option}: expected {expected}; see sockservices ping --help\n"
    assert ping(*option.split(), "tcp://127.0.0.1:7") == (64, b"", message)

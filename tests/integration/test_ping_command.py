"""
C{sockservices ping}.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sockservices.client.ping_statistics import PROBE_SIZE
from tests.support.commands import COMMAND, TIMEOUT, Completed, Piped, Run, terminal, waitForExit
from tests.support.plain_servers import datagramServer, resetAfterData, streamServer, unusedPort
from tests.support.sockets import replyFromOtherPort

#: The line of round-trip times.
TIMES = r"\d+\.\d{3} ms min, \d+\.\d{3} ms median, \d+\.\d{3} ms p99"


def countsLine(url: str, **counts: int) -> str:
    """
    Give the line of counts. Those not given are 0.
    """
    names = ("sent", "returned", "lost", "corrupt", "duplicated", "reordered")
    line = ", ".join(f"{counts.get(name, 0)} {name}" for name in names)
    return f"{url}: {line}, {counts.get('wrongSource', 0)} from the wrong address\n"


def assertSummary(done: Completed, url: str, status: int = 0, error: str = "", **counts: int) -> None:
    """
    Require an exit status, the two lines of the summary, and a line with the error.
    """
    times = TIMES if counts.get("returned") else "no round-trip times: no probe returned"
    assert re.fullmatch(re.escape(countsLine(url, **counts)) + times + "\n", done.out.decode()), done.out
    assert done.err == (f"sockservices ping: {url}: {error}\n" if status else "")
    assert done.status == status


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
def test_returned(transport: str, run: Run, serve: Callable[[str, str], str]) -> None:
    """
    All probes return from C{echo} and from C{upper}.
    """
    for service, probes in (("echo", 5), ("upper", 1)):
        url = serve(service, transport)
        assertSummary(run("ping", "--interval=0", url, f"--count={probes}"), url, sent=probes, returned=probes)


def readProbe(connection: socket.socket) -> bytes:
    """
    Read a probe from a stream.
    """
    return connection.recv(PROBE_SIZE, socket.MSG_WAITALL)


#: Servers; for one probe the expected exit status, error line and counts.
FAILURES: list[tuple[Any, int, str, dict[str, int]]] = [
    (unusedPort, 10, "refused: nothing listens at this address", {"lost": 1}),
    (partial(streamServer, resetAfterData), 11, "reset: the peer reset the connection", {"lost": 1}),
    (partial(datagramServer, lambda *_: None), 12, "timeout: no reply to 1 of 1 probes within 0.5 s", {"lost": 1}),
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
        "corrupt: a reply differs from its probe",
        {"corrupt": 1},
    ),
    (
        partial(datagramServer, replyFromOtherPort),
        16,
        "wrong-source: a reply came from another address than the target",
        {"lost": 1, "wrongSource": 1},
    ),
]


@pytest.mark.parametrize(("server", "status", "error", "counts"), FAILURES, ids=[error for _, _, error, _ in FAILURES])
def test_failures(server: Any, status: int, error: str, counts: dict[str, int], run: Run) -> None:
    """
    The last line names the URL, the verdict and its reason.
    """
    with server() as url:
        assertSummary(run("ping", url, "--count=1", "--timeout=0.5"), url, status, error, sent=1, **counts)


def test_noMarkup(run: Run, tmp_path: Path) -> None:
    """
    The summary prints brackets and colons of the URL unchanged: they are no markup of rich.
    """
    for name in ("[red]", "[/]", ":smile:"):
        url = f"unix://{tmp_path / name}"
        assertSummary(run("ping", url, "--count=1"), url, 17, "unreachable: no such file or directory", sent=1, lost=1)


def test_terminal(serve: Callable[[str, str], str]) -> None:
    """
    At a terminal there is a progress line with a sparkline. Without a count, probes go on until Ctrl-C, which erases
    the progress line and prints the summary.
    """
    url = serve("echo", "udp")
    with terminal(*COMMAND, "ping", url, "--interval=0.01") as child:
        child.expect(rb"\d\d of \d\d returned [\xe2\x96\x81-\x88]+ \d+\.\d{3} ms")
        child.sendintr()
        status, out = waitForExit(child)
    assert status == 0
    _, _, summary = out.decode().rpartition("\x1b[2K")
    sent, returned = map(int, re.findall(r"(\d+) (?:sent|returned)", summary))
    assert sent == returned >= 10
    line = countsLine(url, sent=sent, returned=sent).rstrip()
    assert re.search(rf"^{re.escape(line)}\r\n{TIMES}\r\n\Z", summary, re.MULTILINE), out


def test_interruptInPipe() -> None:
    """
    In a pipe there is no progress line. At Ctrl-C, probes whose timeout has not passed are not lost.
    """
    tenSent = Event()
    numbers = count()

    def replyToFirst(server: socket.socket, probe: bytes, source: Any) -> None:
        number = next(numbers)
        if number == 0:
            server.sendto(probe, source)
        elif number == 10:
            tenSent.set()

    with datagramServer(replyToFirst) as url, Piped("ping", url, "--interval=0.01", "--timeout=1000") as pinging:
        assert tenSent.wait(TIMEOUT)
        pinging.interrupt()
        status, err = pinging.exited()
        assertSummary(Completed(status, pinging.stdout.read(), err), url, sent=1, returned=1)

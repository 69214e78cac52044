"""
C{sockservices ping}, at a terminal and in a pipe.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.group import run
from sockservices.cli.ping import drawn, figures, times
from sockservices.client.tally import SIZE, Tally
from tests.support.commands import (
    COMMAND,
    PATIENCE,
    Done,
    Piped,
    datagrams,
    finish,
    nobody,
    ours,
    reset,
    stream,
    terminal,
)

PING = (*COMMAND, "ping")

MILLISECONDS = r"\d+\.\d{3} ms"

TIMES = rf"{MILLISECONDS} min, {MILLISECONDS} median, {MILLISECONDS} p99"

NONE = "no times: none has returned"


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """
    A server of our own.
    """
    with ours(tmp_path_factory.mktemp("ours"), "echo", "upper", "discard") as url:
        yield url


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """
    The command, in this process.
    """

    def tell(*arguments: str) -> Done:
        status = run(["ping", "--interval=0", *arguments])
        out, err = capfd.readouterr()
        return Done(status, out.encode(), err)

    return tell


def counted(url: str, **numbers: int) -> str:
    """
    The line with the counts, those that are not given being 0.
    """
    words = ("sent", "returned", "lost", "corrupt", "duplicated", "reordered")
    line = ", ".join(f"{numbers.get(word, 0)} {word}" for word in words)
    return f"{url}: {line}, {numbers.get('strays', 0)} from the wrong address\n"


def assertCounted(done: Done, url: str, status: int, said: str = "", **numbers: int) -> None:
    """
    A ping has ended so: its status, two lines of counts and times, and a line that says what was amiss.
    """
    line = counted(url, **numbers)
    out = done.out.decode()
    assert out.startswith(line), out
    assert re.fullmatch((TIMES if numbers.get("returned") else NONE) + "\n", out.removeprefix(line)), out
    assert done.err == (f"sockservices ping: {url}: {said}\n" if status else "")
    assert done.status == status


class WordsTests(SynchronousTestCase):
    """
    Tests for how a tally is told.
    """

    def tally(self, *seconds: float) -> Tally:
        """
        One of probes that took so long.
        """
        tally = Tally(Random(1))
        for each in seconds:
            tally.hear(tally.probe(0.0), each)
        return tally

    def test_figures(self) -> None:
        """
        Each count has its place.
        """
        tally = self.tally(1.0)
        tally.sent, tally.returned, tally.corrupt, tally.duplicated, tally.reordered, tally.strays = 9, 2, 3, 4, 5, 6
        self.assertEqual(
            figures(tally),
            "9 sent, 2 returned, 7 lost, 3 corrupt, 4 duplicated, 5 reordered, 6 from the wrong address",
        )

    def test_times(self) -> None:
        """
        The least, the middle and nearly the most; of a single one, all are that.
        """
        self.assertEqual(times(self.tally()), "no times: none has returned")
        self.assertEqual(times(self.tally(0.0015)), "1.500 ms min, 1.500 ms median, 1.500 ms p99")
        hundred = self.tally(*(number / 1000 for number in range(1, 102)))
        self.assertEqual(times(hundred), "1.000 ms min, 51.000 ms median, 100.000 ms p99")

    def test_drawn(self) -> None:
        """
        The last forty times, by the longest of them; a clock too coarse to see any is no trouble.
        """
        self.assertEqual(drawn(self.tally()), "")
        self.assertEqual(drawn(self.tally(0.0, 0.0)), "▁▁")
        self.assertEqual(drawn(self.tally(0.0, 0.5, 1.0)), "▁▄█")
        self.assertEqual(drawn(self.tally(9.0, *[1.0] * 40)), "█" * 40)


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
@pytest.mark.parametrize("service", ["echo", "upper"])
def test_returns(service: str, transport: str, told: Callable[..., Done], urls: Callable[[str, str], str]) -> None:
    """
    All return from an echo service, and from one that gives back capital letters.
    """
    url = urls(service, transport)
    assertCounted(told(url, "--count=5"), url, 0, sent=5, returned=5)
    assertCounted(told(url, "--count=1"), url, 0, sent=1, returned=1)


@pytest.mark.parametrize("transport", ["tcp", "unixgram"])
def test_lost(transport: str, told: Callable[..., Done], urls: Callable[[str, str], str]) -> None:
    """
    What does not come back is lost.
    """
    url = urls("discard", transport)
    assertCounted(told(url, "--count=3", "--timeout=1"), url, 12, "timeout", sent=3, lost=3)


def test_faults(told: Callable[..., Done], tmp_path: Path) -> None:
    """
    What went wrong last is told, when it has cost a probe.
    """
    with nobody(socket.SOCK_STREAM) as url:
        assertCounted(told(url, "--count=2"), url, 10, "refused: nobody listens there", sent=2, lost=2)
    with nobody(socket.SOCK_DGRAM) as url:
        assertCounted(told(url, "--count=1"), url, 10, "refused: nobody listens there", sent=1, lost=1)
    url = f"unix://{tmp_path}/none"
    assertCounted(told(url, "--count=1"), url, 17, "unreachable: no such file or directory", sent=1, lost=1)
    url = f"tcp://{64 * 'a'}:9"
    assertCounted(told(url, "--count=1"), url, 18, "dns: no name can look like that", sent=1, lost=1)
    with stream(reset) as url:
        assertCounted(told(url, "--count=1"), url, 11, "reset: the peer cut the connection off", sent=1, lost=1)
    with stream(lambda far: far.recv(SIZE, socket.MSG_WAITALL)) as url:
        assertCounted(told(url, "--count=1"), url, 13, "eof: the peer ended", sent=1, lost=1)
    with stream(lambda far: far.sendall(far.recv(SIZE, socket.MSG_WAITALL)[:9])) as url:
        said = f"short: the peer ended with 9 bytes of {SIZE}"
        assertCounted(told(url, "--count=1"), url, 14, said, sent=1, lost=1)


def test_corrupt(told: Callable[..., Done], tmp_path: Path) -> None:
    """
    What comes back is compared.
    """
    with stream(lambda far: far.sendall(far.recv(SIZE, socket.MSG_WAITALL)[:-1] + b"!")) as url:
        said = "corrupt: what came is not what was sent"
        assertCounted(told(url, "--count=1"), url, 15, said, sent=1, corrupt=1)

    def cut(bound: socket.socket, probe: bytes, source: Any) -> None:
        bound.sendto(probe[:-1], source)

    with datagrams(cut, tmp_path / "cut") as url:
        assertCounted(told(url, "--count=2"), url, 15, "corrupt", sent=2, corrupt=2)


def test_wrongSource(told: Callable[..., Done]) -> None:
    """
    Replies from another port are counted apart.
    """

    def fromElsewhere(_: socket.socket, probe: bytes, source: Any) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.sendto(probe, source)

    with datagrams(fromElsewhere) as url:
        done = told(url, "--count=2", "--timeout=2")
        assertCounted(done, url, 16, "wrong-source", sent=2, lost=2, strays=2)


def test_copies(told: Callable[..., Done]) -> None:
    """
    Copies and a wrong order are counted, and not amiss.
    """
    kept: list[bytes] = []

    def twiceAndLate(bound: socket.socket, probe: bytes, source: Any) -> None:
        kept.append(probe)
        if len(kept) == 3:
            for number in (0, 0, 2, 1):
                bound.sendto(kept[number], source)

    with datagrams(twiceAndLate) as url:
        assertCounted(told(url, "--count=3"), url, 0, sent=3, returned=3, duplicated=1, reordered=1)


def test_anyName(told: Callable[..., Done], tmp_path: Path) -> None:
    """
    What is in brackets, or between colons, is a part of the name.
    """
    for name in ("[red]", "[/]", ":smile:"):
        url = f"unix://{tmp_path / name}"
        assertCounted(told(url, "--count=1"), url, 17, "unreachable: no such file or directory", sent=1, lost=1)


def test_terminal(urls: Callable[[str, str], str]) -> None:
    """
    At a terminal, a line tells how it goes, and is gone at the end.
    """
    url = urls("echo", "tcp")
    with terminal(*PING, url, "--count=3", "--interval=0.3") as child:
        child.expect(rb"[123] of [123] returned [\xe2\x96\x81-\x88]+ \d+\.\d{3} ms")
        status, said = finish(child)
        assert status == 0
        # The last line of it is erased.
        _, _, summary = said.rpartition(b"\x1b[2K")
        line = counted(url, sent=3, returned=3).rstrip()
        assert re.search(rf"^{re.escape(line)}\r\n{TIMES}\r\n$", summary.decode(), re.MULTILINE), said


def test_interrupted(urls: Callable[[str, str], str]) -> None:
    """
    Without a count it goes on until Ctrl-C, and then sums up.
    """
    url = urls("echo", "udp")
    with terminal(*PING, url, "--interval=0.01") as child:
        child.expect(rb"\d\d of \d\d returned ")
        child.sendintr()
        status, said = finish(child)
        assert status == 0
        summary = re.search(rf"{re.escape(url)}: (\d+) sent, (\d+) returned, 0 lost, 0 corrupt", said.decode())
        assert summary, said
        assert int(summary[1]) == int(summary[2]) >= 10
        assert re.search(TIMES + "\r\n$", said.decode())


def test_interruptedInAPipe(urls: Callable[[str, str], str]) -> None:
    """
    In a pipe there is no such line, and what was out for a moment only is not called lost.
    """
    heard = Event()
    numbers = count()

    def firstOnly(bound: socket.socket, probe: bytes, source: Any) -> None:
        number = next(numbers)
        if number == 0:
            bound.sendto(probe, source)
        elif number == 10:
            # By now the first has been heard.
            heard.set()

    with datagrams(firstOnly) as url, Piped("ping", url, "--interval=0.01", "--timeout=1000") as pinging:
        assert heard.wait(PATIENCE)
        pinging.interrupt()
        assert pinging.end() == (0, "")
        out = pinging.out.read().decode()
        line = counted(url, sent=1, returned=1)
        assert out.startswith(line)
        assert re.fullmatch(TIMES + "\n", out.removeprefix(line))


def test_readerGoesAway(urls: Callable[[str, str], str]) -> None:
    """
    When nobody reads the summary, it ends quietly.
    """
    with Piped("ping", urls("echo", "tcp"), "--count=1") as pinging:
        pinging.out.close()
        assert pinging.end() == (141, "")


#: What users get wrong, and what is said of it.
WRONG = [
    (["tcp://127.0.0.1"], "'tcp://127.0.0.1': HOST:PORT is wanted"),
    (["--count=0", "tcp://127.0.0.1:7"], "'--count': '0': a whole number from 1, up to 1000000000, is wanted"),
    (["--count=1.5", "tcp://127.0.0.1:7"], "'--count': '1.5': a whole number from 1, "),
    (["--count=many", "tcp://127.0.0.1:7"], "'--count': 'many': a whole number from 1, "),
    (["--interval=-1", "tcp://127.0.0.1:7"], "'--interval': '-1': a number of seconds from 0, up to 1000000000, is "),
    (["--interval=nan", "tcp://127.0.0.1:7"], "'--interval': 'nan': a number of seconds from 0"),
    (["--timeout=0", "tcp://127.0.0.1:7"], "'--timeout': '0': a number of seconds above 0"),
]


@pytest.mark.parametrize(("arguments", "wanted"), WRONG, ids=[arguments[0] for arguments, _ in WRONG])
def test_wrong(arguments: list[str], wanted: str, told: Callable[..., Done]) -> None:
    """
    What a user gets wrong is one line and status 64.
    """
    status, out, err = told(*arguments)
    assert (status, out) == (64, b"")
    assert err.startswith("sockservices ping: ")
    assert wanted in err
    assert err.count("\n") == 1

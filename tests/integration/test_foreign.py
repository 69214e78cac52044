"""
Other people's clients: netcat, socat, ncat, and plain sockets.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from sockservices.conversation.context import Conversation
from sockservices.registry import find
from tests.support.twistd import Twistd


def _openbsdNetcat() -> str | None:
    """
    The netcat that has -N; under its plain name there may be another.
    """
    for name in ("nc.openbsd", "nc"):
        if (program := shutil.which(name)) and b"OpenBSD" in subprocess.run(
            [program, "-h"], capture_output=True, check=False
        ).stderr:
            return program
    return None


def _hasIPv6() -> bool:
    """
    Is there a loopback of version 6?
    """
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


NC = _openbsdNetcat() or ""
SOCAT = shutil.which("socat") or ""
NCAT = shutil.which("ncat") or ""

needsNetcat = pytest.mark.skipif(not NC, reason="netcat-openbsd is not installed")
needsSocat = pytest.mark.skipif(not SOCAT, reason="socat is not installed")
needsNcat = pytest.mark.skipif(not NCAT, reason="ncat is not installed")
needsIPv6 = pytest.mark.skipif(not _hasIPv6(), reason="this host has no ::1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    """
    All services on all transports.
    """
    folder = tmp_path_factory.mktemp("sockets")
    interfaces = ["127.0.0.1", *(["::1"] if _hasIPv6() else [])]
    with Twistd(
        "--proto=all",
        *(f"--interface={interface}" for interface in interfaces),
        *(f"--service={name}=0" for name in ("echo", "upper", "welcome", "hello", "chargen", "greet")),
        f"--listen=echo=unix:{folder}/echo.sock",
        f"--listen=echo=unixgram:{folder}/datagrams.sock",
    ) as twistd:
        yield twistd


def converse(command: list[str], sent: bytes = b"") -> bytes:
    """
    What a client prints that has this on its standard input, and ends well.
    """
    return subprocess.run(command, input=sent, capture_output=True, check=True, timeout=30).stdout


def hostAndPort(address: tuple[str, int]) -> list[str]:
    """
    An address as two arguments.
    """
    host, port = address
    return [host, str(port)]


@needsNetcat
@pytest.mark.parametrize(
    ("service", "sent", "answer"),
    [
        ("welcome", b"1", b"welcome to server!"),
        ("welcome", b"1\n", b"welcome to server!"),
        ("welcome", b"2", b"please go out!"),
        ("welcome", b"", b"please go out!"),
        ("upper", b"Hello", b"HELLO"),
        ("upper", b"", b""),
        ("greet", b"", b"connected"),
        ("echo", b"no line end", b"no line end"),
    ],
)
def test_netcat(server: Twistd, service: str, sent: bytes, answer: bytes) -> None:
    """
    A netcat that half-closes at the end of its input gets the whole answer.
    """
    assert converse([NC, "-N", *hostAndPort(server.address(service))], sent) == answer


@needsNetcat
def test_netcatEchoesFiftyMegabytes(server: Twistd) -> None:
    """
    A stream of 50 MB is echoed byte for byte.
    """
    sent = os.urandom(50_000_000)
    answer = converse([NC, "-N", *hostAndPort(server.address("echo"))], sent)
    assert len(answer) == len(sent)
    assert hashlib.sha256(answer).digest() == hashlib.sha256(sent).digest()


@needsNetcat
def test_netcatDatagram(server: Twistd) -> None:
    """
    A netcat that waits for one datagram receives it.
    """
    assert converse([NC, "-u", "-W1", "-w5", *hostAndPort(server.address("hello", "udp"))], b"hi~") == b"hello"


@needsNetcat
@needsIPv6
def test_netcatIPv6(server: Twistd) -> None:
    """
    The services work over IPv6 loopback.
    """
    assert converse([NC, "-6", "-N", *hostAndPort(server.address("upper", "tcp", "::1"))], b"Hello") == b"HELLO"
    assert (
        converse([NC, "-6", "-u", "-W1", "-w5", *hostAndPort(server.address("upper", "udp", "::1"))], b"Hello")
        == b"HELLO"
    )


@needsNetcat
def test_clientThatDisconnects(server: Twistd) -> None:
    """
    A client that disconnects after 1 MB of chargen has the correct pattern, and the server continues.
    """
    enough = 1_000_000
    with subprocess.Popen(
        [NC, "-d", *hostAndPort(server.address("chargen"))], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        printed = client.stdout.read(enough)
        client.kill()
    talk = find("chargen")(Conversation()).generate()
    assert talk is not None
    expected = b""
    while len(expected) < enough:
        expected += next(talk)
    assert printed == expected[:enough]
    server.waitFor(r"chargen tcp 127\.0\.0\.1:\d+ (done|reset): ")
    assert converse([NC, "-N", *hostAndPort(server.address("echo"))], b"still here") == b"still here"


@needsSocat
def test_socatStream(server: Twistd) -> None:
    """
    A socat that half-closes gets the whole answer.
    """
    host, port = server.address("upper")
    assert converse([SOCAT, "-t10", "-", f"TCP:{host}:{port}"], b"Hello") == b"HELLO"


@needsSocat
def test_socatDatagram(server: Twistd) -> None:
    """
    A socat receives the echo of its datagram.
    """
    host, port = server.address("echo", "udp")
    assert converse([SOCAT, "-t0.5", "-", f"UDP:{host}:{port}"], b"a datagram") == b"a datagram"


@needsSocat
def test_socatUnixStream(server: Twistd) -> None:
    """
    A stream longer than all buffers is echoed over a Unix socket.
    """
    sent = os.urandom(5_000_000)
    assert converse([SOCAT, "-t10", "-", f"UNIX-CONNECT:{server.path('echo')}"], sent) == sent


@needsSocat
def test_socatUnixDatagram(server: Twistd, tmp_path_factory: pytest.TempPathFactory) -> None:
    """
    The reply to a Unix datagram goes to its source path.
    """
    own = tmp_path_factory.mktemp("own") / "s"
    command = [SOCAT, "-t0.5", "-", f"UNIX-SENDTO:{server.path('echo', 'unixgram')},bind={own}"]
    assert converse(command, b"a datagram") == b"a datagram"


@needsNcat
def test_ncatHalfClose(server: Twistd) -> None:
    """
    An ncat that half-closes gets the whole answer.
    """
    sent = b"abc\n" * 250_000
    assert converse([NCAT, *hostAndPort(server.address("upper"))], sent) == sent.upper()


@needsNcat
def test_ncatUnix(server: Twistd) -> None:
    """
    An ncat that half-closes a Unix socket gets the whole answer.
    """
    sent = b"abc\n" * 250_000
    assert converse([NCAT, "--unixsock", server.path("echo")], sent) == sent


@pytest.mark.parametrize(
    ("host", "size"),
    [
        *(("127.0.0.1", size) for size in (0, 1, 512, 8192, 8193, 65_507)),
        *(pytest.param("::1", size, marks=needsIPv6) for size in (0, 1, 512, 8192, 8193, 65_507, 65_527)),
    ],
)
def test_datagramSizes(server: Twistd, host: str, size: int) -> None:
    """
    A datagram of any size is echoed whole and once, from the address that it was sent to.
    """
    address = server.address("echo", "udp", host)
    sent = os.urandom(size)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(sent, address)
        answer, sender = client.recvfrom(70_000)
        assert answer == sent
        assert sender[:2] == address
        client.sendto(b"the next", address)
        assert client.recvfrom(70_000)[0] == b"the next"

"""
Clients of other projects: netcat, socat, ncat, and plain sockets.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockservices.conversation.context import Conversation
from sockservices.registry import find
from tests.support.twistd import Twistd


def _openbsdNetcat() -> str | None:
    """
    Find OpenBSD's netcat, which has the option -N: C{nc} may be another one.
    """
    for name in ("nc.openbsd", "nc"):
        if (program := shutil.which(name)) and b"OpenBSD" in subprocess.run(
            [program, "-h"], capture_output=True, check=False
        ).stderr:
            return program
    return None


def _hasIPv6() -> bool:
    """
    Whether this host has ::1.
    """
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


#: The programs by the first word of a command line.
PROGRAMS = {"nc": _openbsdNetcat(), "socat": shutil.which("socat"), "ncat": shutil.which("ncat")}

INTERFACES = ["127.0.0.1", "::1"] if _hasIPv6() else ["127.0.0.1"]

needsNetcat = pytest.mark.skipif(not PROGRAMS["nc"], reason="netcat-openbsd is not installed")
needsIPv6 = pytest.mark.skipif("::1" not in INTERFACES, reason="this host has no ::1")

#: More than all buffers of a connection hold.
LONG = os.urandom(5_000_000)

#: Clients that half-close at the end of their input, or wait for one datagram.
CLIENTS = [
    # The README's command: an nc without -N, such as ncat's, waits for the server to close.
    ("nc {host} {port}", "welcome", "tcp", b"1", b"welcome to server!"),
    ("nc -N {host} {port}", "welcome", "tcp", b"1", b"welcome to server!"),
    ("nc -N {host} {port}", "welcome", "tcp", b"1\n", b"welcome to server!"),
    ("nc -N {host} {port}", "welcome", "tcp", b"2", b"please go out!"),
    ("nc -N {host} {port}", "welcome", "tcp", b"", b"please go out!"),
    ("nc -N {host} {port}", "upper", "tcp", b"Hello", b"HELLO"),
    ("nc -N {host} {port}", "upper", "tcp", b"", b""),
    ("nc -N {host} {port}", "greet", "tcp", b"", b"connected"),
    ("nc -N {host} {port}", "echo", "tcp", b"no line end", b"no line end"),
    ("nc -N {host} {port}", "echo", "tcp", LONG * 10, LONG * 10),
    ("nc -N {host} {port}", "upper", "tcp ::1", b"Hello", b"HELLO"),
    ("nc -u -W1 -w5 {host} {port}", "upper", "udp ::1", b"Hello", b"HELLO"),
    ("nc -u -W1 -w5 {host} {port}", "hello", "udp", b"hi~", b"hello"),
    ("socat -t10 - TCP:{host}:{port}", "upper", "tcp", b"Hello", b"HELLO"),
    ("socat -t0.5 - UDP:{host}:{port}", "echo", "udp", b"a datagram", b"a datagram"),
    ("socat -t10 - UNIX-CONNECT:{path}", "echo", "unix", LONG, LONG),
    ("socat -t0.5 - UNIX-SENDTO:{path},bind={folder}/own", "echo", "unixgram", b"a datagram", b"a datagram"),
    ("ncat {host} {port}", "upper", "tcp", LONG, LONG.upper()),
    ("ncat --unixsock {path}", "echo", "unix", LONG, LONG),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    """
    Run the services on all transports.
    """
    folder = tmp_path_factory.mktemp("sockets")
    with Twistd(
        "--proto=all",
        *(f"--interface={interface}" for interface in INTERFACES),
        *(f"--service={name}=0" for name in ("echo", "upper", "welcome", "hello", "chargen", "greet")),
        f"--listen=echo=unix:{folder}/echo.sock",
        f"--listen=echo=unixgram:{folder}/datagrams.sock",
    ) as twistd:
        yield twistd


def converse(command: str, sent: bytes, **places: object) -> bytes:
    """
    Run a client to its end. It must succeed.

    @param places: the values of the names in braces.
    @return: the output of the client.
    """
    name, *arguments = shlex.split(command.format(**places))
    program = PROGRAMS[name]
    if not program:
        pytest.skip(f"{name} is not installed")
    return subprocess.run([program, *arguments], input=sent, capture_output=True, check=True, timeout=30).stdout


@pytest.mark.parametrize(
    ("command", "service", "transport", "sent", "expected"), CLIENTS, ids=[" ".join(row[:3]) for row in CLIENTS]
)
def test_client(
    server: Twistd, command: str, service: str, transport: str, sent: bytes, expected: bytes, tmp_path: Path
) -> None:
    """
    The client gets the whole answer.
    """
    transport, _, interface = transport.partition(" ")
    if (interface or "127.0.0.1") not in INTERFACES:
        pytest.skip("this host has no ::1")
    if transport in ("tcp", "udp"):
        host, port = server.address(service, transport, interface or "127.0.0.1")
        received = converse(command, sent, host=host, port=port)
    else:
        received = converse(command, sent, path=server.path(service, transport), folder=tmp_path)
    # The difference of two long values would take minutes to print.
    assert len(received) == len(expected)
    assert (received == expected) is True


@needsNetcat
def test_clientThatDisconnects(server: Twistd) -> None:
    """
    A client that disconnects after 1 MB of chargen has the correct pattern, and the server continues.
    """
    enough = 1_000_000
    host, port = server.address("chargen")
    command = [str(PROGRAMS["nc"]), "-d", host, str(port)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        printed = client.stdout.read(enough)
        client.kill()
    blocks = find("chargen")(Conversation()).generate()
    assert blocks is not None
    expected = b""
    while len(expected) < enough:
        expected += next(blocks)
    assert printed == expected[:enough]
    server.waitFor(r"chargen tcp 127\.0\.0\.1:\d+ (done|reset): ")
    host, port = server.address("echo")
    assert converse("nc -N {host} {port}", b"one more", host=host, port=port) == b"one more"


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

"""
Parsing and printing of bindings.
"""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockservices.conversation.transport import Transport
from sockservices.transports.binding_strings import parse, portNumber
from sockservices.transports.bindings import Binding, InetBinding, SystemdBinding, UnixBinding

TCP, UDP, UNIX, UNIXGRAM = Transport

VALID: list[tuple[str, Binding]] = [
    ("tcp:8007", InetBinding(TCP, 8007, "127.0.0.1")),
    ("tcp:0", InetBinding(TCP, 0)),
    ("tcp:65535", InetBinding(TCP, 65535)),
    ("tcp:port=8007", InetBinding(TCP, 8007)),
    ("udp:8007", InetBinding(UDP, 8007)),
    ("udp:8007:interface=0.0.0.0", InetBinding(UDP, 8007, "0.0.0.0")),
    ("tcp:interface=0.0.0.0:port=8007", InetBinding(TCP, 8007, "0.0.0.0")),
    (r"tcp:8007:interface=\:\:", InetBinding(TCP, 8007, "::")),
    ("tcp:8007:interface=[::]", InetBinding(TCP, 8007, "::")),
    ("udp:8007:interface=[::1]", InetBinding(UDP, 8007, "::1")),
    ("tcp:8007:interface=[fe80::1%eth0]", InetBinding(TCP, 8007, "fe80::1%eth0")),
    ("unix:/run/echo.sock", UnixBinding(UNIX, "/run/echo.sock", 0o600)),
    ("unix:path=/run/echo.sock", UnixBinding(UNIX, "/run/echo.sock")),
    ("unix:/run/echo.sock:mode=660", UnixBinding(UNIX, "/run/echo.sock", 0o660)),
    ("unix:/run/echo.sock:mode=0666", UnixBinding(UNIX, "/run/echo.sock", 0o666)),
    ("unix:relative.sock", UnixBinding(UNIX, "relative.sock")),
    ("unix:@echo", UnixBinding(UNIX, "@echo")),
    (r"unix:/run/a\:b", UnixBinding(UNIX, "/run/a:b")),
    (r"unix:/run/a\\b", UnixBinding(UNIX, r"/run/a\b")),
    ("unix:/run/a\\", UnixBinding(UNIX, "/run/a\\")),
    (r"unix:a\=b", UnixBinding(UNIX, "a=b")),
    ("unix:/run/a=b", UnixBinding(UNIX, "/run/a=b")),
    ("unix:/run/[a:mode=660", UnixBinding(UNIX, "/run/[a", 0o660)),
    ("unixgram:/run/echo.sock:mode=620", UnixBinding(UNIXGRAM, "/run/echo.sock", 0o620)),
    ("systemd:echo", SystemdBinding("echo")),
    ("systemd:name=echo", SystemdBinding("echo")),
]

#: Invalid strings, and a pattern of the message: the value and what was expected.
INVALID = [
    ("tcp", "port is missing"),
    ("tcp:interface=127.0.0.1", "port is missing"),
    ("tcp:", "port ''.*0 to 65535"),
    ("tcp:abc", "port 'abc'.*0 to 65535"),
    ("tcp:-1", "port '-1'.*0 to 65535"),
    ("tcp:65536", "port '65536'.*0 to 65535"),
    ("tcp:8_0", "port '8_0'.*0 to 65535"),
    ("tcp: 80", "port ' 80'.*0 to 65535"),
    ("tcp:\u0661", "port '\u0661'.*0 to 65535"),
    ("udp:1:interface=localhost", "interface 'localhost'.*IP address.*127.0.0.1"),
    ("udp:1:interface=", "interface ''.*IP address"),
    ("udp:1:interface=256.0.0.1", "interface '256.0.0.1'.*IP address"),
    ("tcp:1:interface=::1", "expected NAME=VALUE"),
    ("tcp:127.0.0.1:8007", "'8007'.*expected NAME=VALUE"),
    ("tcp:1:2", "'2'.*expected NAME=VALUE"),
    ("tcp:1:port=2", "'port'.*expected once"),
    ("tcp:1:interface=::1:interface=::1", "expected NAME=VALUE"),
    ("tcp:1:interface=127.0.0.1:interface=127.0.0.2", "'interface'.*expected once"),
    ("tcp:1:mode=660", "'mode'.*tcp has no such argument"),
    ("tcp:1:backlog=5", "'backlog'.*tcp has no such argument"),
    ("unix", "path is missing"),
    ("unix:mode=660", "path is missing"),
    ("unix:", "path ''.*expected the path"),
    ("unix:/run/\0", r"path '/run/\\x00'.*expected the path"),
    ("unix:/" + 107 * "a", "at most 107 bytes, not 108"),
    ("unix:/" + 54 * "\u00e9", "at most 107 bytes, not 109"),
    ("unix:/run/a:mode=rw", "mode 'rw'.*three octal digits.*660"),
    ("unix:/run/a:mode=888", "mode '888'.*three octal digits"),
    ("unix:/run/a:mode=4755", "mode '4755'.*three octal digits"),
    ("unix:/run/a:mode=", "mode ''.*three octal digits"),
    ("unix:@a:mode=660", "mode '660'.*expected none for @a"),
    ("unixgram:/run/a:lockfile=0", "'lockfile'.*unixgram has no such argument"),
    ("systemd", "name is missing"),
    ("systemd:domain=INET:index=0", "name is missing"),
    ("systemd:domain=INET:name=echo", "'domain'.*systemd has no such argument"),
]


def escaped(value: str) -> str:
    """
    Escape a value for an endpoint string.
    """
    return re.sub(r"([\\:=\[])", r"\\\1", value)


#: Whatever the kernel takes as a path, bytes that are not text included.
PATHS = st.binary(min_size=1, max_size=107).filter(lambda path: b"\0" not in path).map(os.fsdecode)

MODES = st.integers(0, 0o777)

ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.parametrize(("text", "binding"), VALID)
def test_validStrings(text: str, binding: Binding) -> None:
    """
    Each string gives this binding.
    """
    assert parse(text) == binding


@pytest.mark.parametrize(("text", "message"), INVALID)
def test_invalidStrings(text: str, message: str) -> None:
    """
    Each string raises ValueError with one line that gives the error and the expected value.
    """
    with pytest.raises(ValueError, match=message) as raised:
        parse(text)
    assert "\n" not in str(raised.value)


def test_unknownTypesAreLeftToTwisted() -> None:
    """
    A string of another type is left to Twisted.
    """
    for text in ("", "ssl:443", "tls:443", "TCP:8007", "haproxy:ssl:8007", "tcp6:8007", "onion:80"):
        assert parse(text) is None, text


@settings(deadline=None)
@given(st.sampled_from(["unix", "unixgram"]), PATHS, MODES)
def test_pathRoundTrip(kind: str, path: str, mode: int) -> None:
    """
    Parsing reverses the escaping of any path.
    """
    binding = UnixBinding(Transport(kind), path, mode)
    if path.startswith("@"):
        assert parse(f"{kind}:{escaped(path)}") == UnixBinding(Transport(kind), path)
        return
    assert parse(f"{kind}:{escaped(path)}:mode={mode:03o}") == binding
    assert parse(f"{kind}:mode={mode:03o}:path={escaped(path)}") == binding


@settings(deadline=None)
@given(st.sampled_from(["tcp", "udp"]), st.integers(0, 65535), ADDRESSES)
def test_addressRoundTrip(kind: str, port: int, address: str) -> None:
    """
    Any address can be parsed in brackets, or escaped.
    """
    binding = InetBinding(Transport(kind), port, address)
    assert parse(f"{kind}:{port}:interface=[{address}]") == binding
    assert parse(f"{kind}:{port}:interface={escaped(address)}") == binding


@settings(deadline=None)
@given(st.text() | st.text(alphabet="tcpudnixs:=[]\\/0 @"))
def test_anyText(text: str) -> None:
    """
    Any text gives a binding, a string for Twisted, or ValueError.
    """
    try:
        binding = parse(text)
    except ValueError:
        return
    assert binding is None or str(binding)


def test_text() -> None:
    """
    The text of a binding is the same as in the log.
    """
    for binding, text in [
        (InetBinding(TCP, 8007), "tcp:127.0.0.1:8007"),
        (InetBinding(UDP, 8007, "0.0.0.0"), "udp:0.0.0.0:8007"),
        (InetBinding(TCP, 8007, "::1"), "tcp:[::1]:8007"),
        (UnixBinding(UNIX, "/run/echo.sock", 0o660), "unix:/run/echo.sock"),
        (UnixBinding(UNIXGRAM, "@echo"), "unixgram:@echo"),
        (SystemdBinding("echo"), "systemd:echo"),
    ]:
        assert str(binding) == text


def test_constructors() -> None:
    """
    The constructors reject invalid values. A path has at most 107 bytes. getaddrinfo(3) would take a port modulo 65536.
    """
    for port in (-1, 65536):
        with pytest.raises(ValueError, match=f"port {port}: expected 0 to 65535"):
            InetBinding(TCP, port)
    with pytest.raises(ValueError, match="localhost"):
        InetBinding(TCP, 8007, "localhost")
    for path in ("", "/" + 107 * "a"):
        with pytest.raises(ValueError, match=r"path|107"):
            UnixBinding(UNIX, path)
    assert len(UnixBinding(UNIX, "/" + 106 * "a").path) == 107


def test_portNumber() -> None:
    """
    A port is a decimal number from 0 to 65535.
    """
    assert [portNumber(text) for text in ("0", "80", "65535", "00080")] == [0, 80, 65535, 80]
    for text in ("", "-1", "65536", "1e3", "+1", "0x50", "8007 ", "123456"):
        with pytest.raises(ValueError, match="0 to 65535"):
            portNumber(text)

"""
The errors of malformed endpoint strings name the form that is right for the prefix.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock

from sockservices import streamService
from sockservices.responders import Echo

TCP, UNIX = "; the form is tcp:PORT[:interface=ADDRESS]", "; the form is unix:PATH[:mode=660]"
SSL = "; the form is ssl:PORT:privateKey=KEY.pem:certKey=CERTIFICATE.pem:interface=ADDRESS"
HAPROXY = "haproxy:tcp:PORT, haproxy:unix:PATH or haproxy:systemd:NAME"
FASTTCP, FASTUNIX = "; the form is fasttcp:PORT:interface=ADDRESS", "; the form is fastunix:PATH[:mode=660]"
TCP6 = "; the form is tcp6:PORT:interface=ADDRESS"
PREFIXES = "expected tcp:, udp:, unix:, unixgram:, systemd:, haproxy:, ssl:, tcp6:, fasttcp:, fastunix: or another"
PORT, NUMBER = "expected 0 to 65535; 0 is any free port", "expected a number"
ARGUMENT = "an argument is missing, or not known"
IPV6 = "expected NAME=VALUE; put an IPv6 address in brackets"

#: Malformed strings, and their errors. FILE is the path of a file that is no certificate.
MALFORMED = [
    ("tcp", "tcp: the port is missing" + TCP),
    ("tcp:", f"port '': {PORT}{TCP}"),
    ("tcp:localhost", f"port 'localhost': {PORT}{TCP}"),
    ("tcp:99999", f"port '99999': {PORT}{TCP}"),
    ("tcp:127.0.0.1:8007", f"'8007': {IPV6}{TCP}"),
    ("tcp:8007:interface=localhost", "interface 'localhost': expected an IP address, such as 127.0.0.1 or ::" + TCP),
    ("tcp:8007:mode=660", "'mode': tcp has no such argument" + TCP),
    ("tcp:8007:port=8008", "'port': expected once, not twice" + TCP),
    ("udp", "udp: the port is missing; the form is udp:PORT[:interface=ADDRESS]"),
    ("unix", "unix: the path is missing" + UNIX),
    ("unix:", "path '': expected the path of a socket, or @name" + UNIX),
    ("unix:/run/echo:mode=rw", "mode 'rw': expected three octal digits, such as 660" + UNIX),
    ("unix:/run/echo:660", r"'660': expected NAME=VALUE; write \: for a colon" + UNIX),
    ("unixgram", "unixgram: the path is missing; the form is unixgram:PATH[:mode=660]"),
    ("systemd", "systemd: the name is missing; the form is systemd:NAME"),
    ("systemd:", "systemd: the name is missing; the form is systemd:NAME"),
    ("haproxy", f"'haproxy': expected {HAPROXY}"),
    ("haproxy:", f"'haproxy:': expected {HAPROXY}"),
    ("haproxy:8007", f"'haproxy:8007': expected {HAPROXY}"),
    ("haproxy:tcp", "tcp: the port is missing" + TCP),
    ("haproxy:udp:8007", f"'haproxy:udp:8007': datagrams have no PROXY header; the form is {HAPROXY}"),
    ("haproxy:ssl", f"'haproxy:ssl': {ARGUMENT}{SSL}"),
    ("ssl", f"'ssl': {ARGUMENT}{SSL}"),
    ("ssl:8443", "'ssl:8443': server.pem: No such file or directory" + SSL),
    ("ssl:8443:privateKey=missing", "missing: No such file or directory"),
    ("ssl:8443:privateKey=FILE", "'ssl:8443:privateKey=FILE': OpenSSL: ..." + SSL),
    ("ssl:8443:key=FILE", f"'ssl:8443:key=FILE': {ARGUMENT}{SSL}"),
    ("tcp6", f"'tcp6': {ARGUMENT}{TCP6}"),
    ("tcp6:x", f"'tcp6:x': 'x': {NUMBER}{TCP6}"),
    ("fasttcp", f"'fasttcp': {ARGUMENT}{FASTTCP}"),
    ("fasttcp:x", f"'fasttcp:x': port 'x': {PORT}{FASTTCP}"),
    ("fastunix", f"'fastunix': {ARGUMENT}{FASTUNIX}"),
    (
        "fastunix:/run/echo:mode=9",
        "'fastunix:/run/echo:mode=9': mode '9': expected three octal digits, such as 660" + FASTUNIX,
    ),
    ("", f"'': {PREFIXES}"),
    ("8007", f"'8007': {PREFIXES}"),
    ("TCP:8007", f"'TCP:8007': {PREFIXES}"),
    ("/run/echo.sock", f"'/run/echo.sock': {PREFIXES}"),
    ("127.0.0.1:8007", f"'127.0.0.1:8007': {PREFIXES}"),
]


@pytest.mark.parametrize(("text", "message"), MALFORMED)
def test_malformed(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The error of a malformed string is one line: the cause, and the form of its prefix or all prefixes. If the form is
    right, and a file is missing, the line names the file only.
    """
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("no certificate\n")
    with pytest.raises(ValueError, match=r"^[^\n]+\Z") as raised:
        streamService(text, Echo, reactor=MemoryReactorClock())
    error = str(raised.value).replace(f"{tmp_path}/", "")
    assert re.match(re.escape(message).replace(re.escape("..."), ".*"), error), error

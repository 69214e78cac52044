"""
The option C{--script}.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from sockservices.scripting.script import Script
from sockservices.server.options import Options
from tests.support.shell import outputMatches

FILES = {
    "smtp.toml": "port = 2525\n[[step]]\nsend = '220 ready'",
    "other.toml": "[[rule]]\nmatch = 'a'\nsend = 'b'",
    "echo.toml": "[[step]]\nsend = 'a'",
    "wrong.toml": "[[step]]\nsned = 'a'",
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Write the files into the working directory.
    """
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)


def parsed(text: str) -> list[str]:
    """
    The listeners that options ask for: each a name and a binding.
    """
    options = Options()
    options.parseOptions(text.split())
    return [f"{each.name} {each.binding}" for each in options.config.listeners]


@pytest.mark.parametrize(
    ("text", "listeners"),
    [
        ("--script smtp.toml", ["smtp tcp:127.0.0.1:2525"]),
        ("--script smtp.toml=25", ["smtp tcp:127.0.0.1:25"]),
        ("--script other.toml", ["other tcp:127.0.0.1:0"]),
        ("--script smtp.toml --script other.toml=7", ["smtp tcp:127.0.0.1:2525", "other tcp:127.0.0.1:7"]),
        ("--script other.toml=7 --proto all", ["other tcp:127.0.0.1:7", "other udp:127.0.0.1:7"]),
        ("--script other.toml=7 --interface ::1", ["other tcp:[::1]:7"]),
        ("--script smtp.toml --service echo=7", ["echo tcp:127.0.0.1:7", "smtp tcp:127.0.0.1:2525"]),
        ("--script smtp.toml --listen smtp=unix:/s", ["smtp unix:/s"]),
        ("--script echo.toml=7 --listen echo=tcp:8", ["echo tcp:127.0.0.1:7", "echo tcp:127.0.0.1:8"]),
        ("--script smtp.toml=25 --listen smtp=udp:7", ["smtp tcp:127.0.0.1:25", "smtp udp:127.0.0.1:7"]),
    ],
)
def test_listeners(text: str, listeners: list[str]) -> None:
    """
    A script listens as a service of its name does. C{--listen} takes its name.
    """
    assert parsed(text) == listeners


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--script smtp", "--script smtp: expected PATH.toml or PATH.toml=PORT"),
        ("--script smtp.toml=x", "--script smtp.toml=x: port 'x': expected 0 to 65535; 0 is any free port"),
        ("--script none.toml", "--script none.toml: No such file or directory: expected a script file"),
        ("--script wrong.toml", "--script wrong.toml:2: step 1, sned: expected one of expect, match, ..."),
        (
            "--script smtp.toml --script smtp.toml",
            "--script smtp.toml: expected another name than 'smtp', which another script has",
        ),
        ("--script smtp.toml --listen other=tcp:0", "--listen other=tcp:0: no service 'other': expected ..."),
    ],
)
def test_wrong(text: str, message: str) -> None:
    """
    An error is one line, which names the option, the file, the line, the key, and what is expected.
    """
    with pytest.raises(UsageError) as raised:
        parsed(text)
    assert outputMatches(message, str(raised.value)), raised.value


def test_nameOfService() -> None:
    """
    C{--listen} takes the script, if a service has the same name.
    """
    options = Options()
    options.parseOptions(["--script", "echo.toml", "--listen", "echo=tcp:8"])
    assert [type(each.service) for each in options.config.listeners] == [Script]


def test_file() -> None:
    """
    The file is read when the options are parsed: the server does not need it later.
    """
    options = Options()
    options.parseOptions(["--script", "smtp.toml"])
    Path("smtp.toml").unlink()
    assert options.config.listeners[0].name == "smtp"

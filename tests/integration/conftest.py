"""
Fixtures for the tests of the commands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper

import pytest

from sockservices.cli import commands
from sockservices.client import Target
from sockservices.testing.fixture import Servers
from tests.support.commands import Completed, Run


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    """
    A function that runs the command in this process. Its arguments are those of the command, and standard input.
    """

    def runInProcess(*arguments: str, stdin: bytes = b"") -> Completed:
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin)))
        status = commands.run(arguments)
        out, err = capfdbinary.readouterr()
        return Completed(status, out, err.decode())

    return runInProcess


@pytest.fixture
def serve(sockservice: Servers) -> Callable[[str, str], str]:
    """
    A function that starts a server of a service on a transport, and returns its URL.
    """
    return lambda service, transport: str(Target(transport, sockservice(service, transport).address))

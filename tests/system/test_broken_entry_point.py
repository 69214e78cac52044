"""
Another package declares a service that cannot be imported.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sockservices.cli.exit_status import USAGE
from sockservices.registry import GROUP
from tests.support.twistd import COMMAND, environment

SERVE = (sys.executable, "-m", "sockservices", "serve")

REASON = (
    f"otherpackage 1.0, entry point 'shout = loudly:Shout' of {GROUP}: "
    "ModuleNotFoundError(\"No module named 'loudly'\")\n"
)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """
    The environment with that package.
    """
    information = tmp_path / "otherpackage-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: otherpackage\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{GROUP}]\nshout = loudly:Shout\n")
    found = environment()
    return found | {"PYTHONPATH": f"{found['PYTHONPATH']}:{tmp_path}"}


@pytest.mark.parametrize("command", [COMMAND, SERVE], ids=["twistd", "serve"])
def test_help(command: tuple[str, ...], variables: dict[str, str]) -> None:
    """
    The help lists the other services, and a warning names the distribution and the group.
    """
    arguments = [*command, "--help"]
    done = subprocess.run(arguments, env=variables, capture_output=True, text=True, check=True, timeout=20)
    assert done.stderr == f"sockservices: warning: {REASON}"
    assert "echo (8007)" in done.stdout


@pytest.mark.parametrize("option", ["--service=shout=0", "--listen=shout=tcp:0"])
def test_service(option: str, variables: dict[str, str]) -> None:
    """
    Asking for that service is an error with the same reason.
    """
    done = subprocess.run([*SERVE, option], env=variables, capture_output=True, text=True, check=False, timeout=20)
    *_, line = done.stderr.splitlines()
    option, _, value = option.partition("=")
    assert (done.returncode, line) == (USAGE, f"sockservices: {option} {value}: {REASON.strip()}")

"""
Documents and error messages about the installation.
"""

from __future__ import annotations

import re

from sockservices.cli.plain_help import INSTALL_CLI
from tests.support.twistd import ROOT

INSTALLING = ROOT / "docs" / "installing.md"

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_noRelease() -> None:
    """
    Only docs/installing.md names the package as pip finds it after a release; all else works from a checkout.
    """
    released = re.compile(r"pip install (-\S+ )*'?sockservices\b")
    found = [path.name for path in (*DOCUMENTS, *SOURCES) if released.search(path.read_text())]
    assert found == ["installing.md"]


def test_errorText() -> None:
    """
    The error of a command whose packages are missing gives the command of docs/installing.md.
    """
    command = INSTALL_CLI.partition(" in a checkout")[0]
    assert f"\n{command}\n" in INSTALLING.read_text()

"""
Fixtures for tests of scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sockservices.scripting import loadScript
from sockservices.scripting.script import Script


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Script]:
    """
    A function that loads a script from its text.
    """

    def loadText(text: str) -> Script:
        path = tmp_path / "smtp.toml"
        path.write_text(text)
        return loadScript(path)

    return loadText

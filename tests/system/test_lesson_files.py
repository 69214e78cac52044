"""
The files of the lessons have the code of the document, and run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockservices.registry import find, names
from tests.support.lesson_files import FOLDER, lessonFiles
from tests.support.twistd import Twistd, environment


def test_text() -> None:
    """
    Each file is up to date, and there is no other.
    """
    expected = lessonFiles()
    assert sorted(FOLDER.glob("*.py")) == sorted(expected)
    for path, text in expected.items():
        assert path.read_text() == text, "run python -m tests.support.lesson_files"


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[int, int]]:
    """
    For the port of each service, the port of a server that runs.
    """
    with Twistd("--service=all=0", "--proto=all") as server:
        yield {find(name).port: server.address(name)[1] for name in names()}


@pytest.mark.parametrize("path", sorted(lessonFiles()), ids=lambda path: path.stem)
def test_runs(path: Path, ports: dict[int, int], tmp_path: Path) -> None:
    """
    Each file runs on its own, beside the server that it names.
    """
    text = re.sub(r'(?<=\("127\.0\.0\.1", )\d+', lambda port: str(ports.get(int(port[0]), port[0])), path.read_text())
    copy = tmp_path / path.name
    copy.write_text(text)
    command = [sys.executable, str(copy)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

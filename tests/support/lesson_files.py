"""
Writes the files docs/lessons/lessonN.py from docs/lessons.md: C{python -m tests.support.lesson_files}.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.twistd import ROOT

__all__ = ["FOLDER", "lessonFiles"]

FOLDER = ROOT / "docs" / "lessons"

HEADING = re.compile(r"^## (\d)\. (.+)$", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def lessonFiles() -> dict[Path, str]:
    """
    The text of each lesson's file: the definitions at the top of the document, and the lesson's own code.
    """
    start, *lessons = HEADING.split((ROOT / "docs" / "lessons.md").read_text())
    definitions = PYTHON.findall(start)
    files = {}
    for number, title, text in zip(lessons[::3], lessons[1::3], lessons[2::3], strict=True):
        docstring = (
            f'"""\nLesson {number} of docs/lessons.md: {title}.\n\n'
            "It needs this server: sockservices serve --proto all --service all\n"
            '"""\n'
        )
        files[FOLDER / f"lesson{number}.py"] = "\n".join([docstring, *definitions, *PYTHON.findall(text)])
    return files


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in lessonFiles().items():
        path.write_text(text)

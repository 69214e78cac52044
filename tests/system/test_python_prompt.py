"""
The Python blocks of the documents run when a reader pastes them into Python's own prompt.
"""

from __future__ import annotations

from codeop import CommandCompiler
from pathlib import Path

import pytest

from tests.support.documents import blocks
from tests.support.twistd import ROOT

#: Documents whose blocks need a prompt with await: C{python -m asyncio}, or a program.
WITH_AWAIT = {"client.md"}

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_blocks(document: Path) -> None:
    """
    An empty line ends an indented block at the prompt: there is none inside a block, and one after it.
    """
    for block in blocks(document):
        if block.language != "python" or document.name in WITH_AWAIT:
            continue
        compiler = CommandCompiler()
        pending: list[str] = []
        for line in [*block.text.splitlines(), ""]:
            pending.append(line)
            try:
                complete = compiler("\n".join(pending), str(block), "single")
            except SyntaxError as error:
                pytest.fail(f"{block}, line {line!r}: {error}")
            if complete is not None:
                pending.clear()
        assert pending == [], f"{block} does not end"

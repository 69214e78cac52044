"""
Documents whose fenced blocks are run, and what they print compared with what is said of it.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import os
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pexpect

from sockservices.registry import names
from tests.support.shell import Shell, same

__all__ = ["Block", "blocks", "runConsole", "runPython", "runTerminal"]

FENCE = re.compile(r"^ *(?:```|~~~)", re.M)
FENCED = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1``` *$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """
    A fenced block.

    @ivar line: that of its first fence.
    @ivar printed: what it prints, said by a block of C{text} right after one of C{python}.
    """

    document: Path
    line: int
    language: str
    text: str
    printed: str | None = None

    def __str__(self) -> str:
        """
        Where it stands.
        """
        return f"{self.document.name}:{self.line}"

    def moved(self, ports: Mapping[int, int]) -> Block:
        """
        The block with other ports, where one stands after this host's address or name, after a service's name and
        C{=}, or after the transport in a table.
        """
        place = rf"((?:127\.0\.0\.1|localhost)(?::|[\"'], ?| )|(?:tcp|udp)   |\b(?:{'|'.join(names())})=)(\d+)\b"

        def move(text: str) -> str:
            return re.sub(place, lambda found: f"{found[1]}{ports.get(int(found[2]), found[2])}", text)

        return replace(self, text=move(self.text), printed=None if self.printed is None else move(self.printed))


def blocks(document: Path) -> list[Block]:
    """
    The blocks of a document.
    """
    text = document.read_text()
    found: list[Block] = []
    end = 0
    for fenced in FENCED.finditer(text):
        language, content = fenced[2].strip(), textwrap.dedent(fenced[3])
        directly = bool(found) and not text[end : fenced.start()].strip()
        if language == "text" and directly and found[-1].language == "python" and found[-1].printed is None:
            found[-1] = replace(found[-1], printed=content)
        else:
            found.append(Block(document, text.count("\n", 0, fenced.start()) + 1, language, content))
        end = fenced.end()
    if len(FENCE.findall(text)) != 2 * len(FENCED.findall(text)):
        raise ValueError(f"{document.name}: there is a fence without an end, or of another kind")
    return found


def _compare(where: object, said: str, got: str) -> None:
    """
    Fail, and show both, unless that is what was said.
    """
    if not same(said, got):
        raise AssertionError(f"{where}\nis said to print:\n{said.rstrip()}\nand prints:\n{got.rstrip()}")


async def runPython(block: Block, namespace: dict[str, Any]) -> None:
    """
    Run a block of Python, which may C{await} where it is not in a function.
    """
    # The lines above it are left empty, so that a traceback names, and shows, those of the document.
    source = "\n" * block.line + block.text
    code = compile(source, block.document, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        result = eval(code, namespace)
        if code.co_flags & inspect.CO_COROUTINE:
            await result
    if block.printed is not None:
        _compare(block, block.printed, printed.getvalue())


def runConsole(block: Block, folder: Path, commands: Path) -> None:
    """
    Run a block for the console: what follows C{$ } at the begin of a line, and compare what each prints.
    """
    before, *steps = re.split(r"^\$ ", block.text, flags=re.M)
    if before or not steps:
        raise ValueError(f"{block} does not begin with a command")
    with Shell(folder, commands) as shell:
        for command, _, said in (step.partition("\n") for step in steps):
            printed = shell.runBeside(command, said) if command.endswith(" &") else shell.run(command)
            _compare(f"{block}: {command}", said, printed)


def runTerminal(block: Block, folder: Path, commands: Path) -> None:
    """
    Run a command in a pseudo-terminal: what follows its prompt is typed, the other lines must appear.
    """
    command, *lines = block.text.splitlines()
    path = os.pathsep.join([str(commands), os.environ["PATH"]])
    terminal = pexpect.spawn(
        command.removeprefix("$ "), cwd=folder, env=os.environ | {"PATH": path}, encoding="utf-8", timeout=20
    )
    try:
        for line in lines:
            prompt, typed = found.groups() if (found := re.match(r"(>>:)(.*)$", line)) else (line, "")
            terminal.expect_exact(prompt)
            if typed:
                terminal.sendline(typed.strip())
        terminal.sendeof()
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close()
    if terminal.exitstatus:
        raise AssertionError(f"{block}: exit status {terminal.exitstatus}")

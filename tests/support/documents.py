"""
Execute the fenced blocks of Markdown documents, and compare their output with the document.
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
from tests.support.shell import Shell, outputMatches

__all__ = ["Block", "blocks", "runConsole", "runPython", "runTerminal"]

FENCE = re.compile(r"^ *(?:```|~~~)", re.M)
FENCED = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1``` *$", re.M | re.S)

#: Seconds that a terminal may take to show an expected line.
TERMINAL_TIMEOUT = 20


@dataclass(frozen=True)
class Block:
    """
    A fenced block.

    @ivar line: the line number of its first fence.
    @ivar language: the language after the first fence.
    @ivar output: the text of the C{text} block that follows a C{python} block directly: the expected output.
    """

    document: Path
    line: int
    language: str
    text: str
    output: str | None = None

    def __str__(self) -> str:
        """
        The file name and the line number.
        """
        return f"{self.document.name}:{self.line}"

    def withPorts(self, ports: Mapping[int, int]) -> Block:
        """
        Replace the port numbers that follow this host's address or name, a service's name and C{=}, a script's file and
        C{=}, C{--listen tcp:}, or a transport in a row.

        @param ports: the new port for each documented port.
        """
        options = rf"\.toml=|--listen tcp:|\b(?:{'|'.join(names())})="
        place = rf"((?:127\.0\.0\.1|localhost)(?::|[\"'], ?| )|(?:tcp|udp)\t|{options})(\d+)\b"

        def substitute(text: str) -> str:
            return re.sub(place, lambda found: f"{found[1]}{ports.get(int(found[2]), found[2])}", text)

        return replace(
            self, text=substitute(self.text), output=None if self.output is None else substitute(self.output)
        )


def blocks(document: Path) -> list[Block]:
    """
    The fenced blocks of a document, in order.

    @raise ValueError: for a fence that is not closed, or is not made of three backquotes.
    """
    text = document.read_text()
    found: list[Block] = []
    end = 0
    for fenced in FENCED.finditer(text):
        language, content = fenced[2].strip(), textwrap.dedent(fenced[3])
        adjacent = bool(found) and not text[end : fenced.start()].strip()
        if language == "text" and adjacent and found[-1].language == "python" and found[-1].output is None:
            found[-1] = replace(found[-1], output=content)
        else:
            found.append(Block(document, text.count("\n", 0, fenced.start()) + 1, language, content))
        end = fenced.end()
    if len(FENCE.findall(text)) != 2 * len(FENCED.findall(text)):
        raise ValueError(f"{document.name}: a fence is not closed, or is not made of three backquotes")
    return found


def _compare(origin: object, expected: str, output: str) -> None:
    """
    Raise an AssertionError that shows both texts, unless they match.
    """
    if not outputMatches(expected, output):
        raise AssertionError(f"{origin}\nexpected output:\n{expected.rstrip()}\nactual output:\n{output.rstrip()}")


async def runPython(block: Block, namespace: dict[str, Any]) -> None:
    """
    Run a block of Python. C{await} is allowed outside functions.
    """
    # Empty lines in front of the code give tracebacks the line numbers of the document.
    source = "\n" * block.line + block.text
    code = compile(source, block.document, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        result = eval(code, namespace)
        if code.co_flags & inspect.CO_COROUTINE:
            await result
    if block.output is not None:
        _compare(block, block.output, output.getvalue())


def runConsole(block: Block, folder: Path, commands: Path) -> None:
    """
    Run the commands of a block in one shell. Lines that start with C{$ } are commands, the others are their output.
    """
    before, *steps = re.split(r"^\$ ", block.text, flags=re.M)
    if before or not steps:
        raise ValueError(f"{block}: the first line is not a command")
    with Shell(folder, commands) as shell:
        for command, _, expected in (step.partition("\n") for step in steps):
            background = command.endswith(" &")
            output = shell.runInBackground(command, expected) if background else shell.run(command)
            _compare(f"{block}: {command}", expected, output)


def runTerminal(block: Block, folder: Path, commands: Path) -> None:
    """
    Run a command in a pseudo-terminal. Text after its prompt is typed; the other lines must appear.
    """
    command, *lines = block.text.splitlines()
    path = os.pathsep.join([str(commands), os.environ["PATH"]])
    terminal = pexpect.spawn(
        command.removeprefix("$ "),
        cwd=folder,
        env=os.environ | {"PATH": path},
        encoding="utf-8",
        timeout=TERMINAL_TIMEOUT,
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

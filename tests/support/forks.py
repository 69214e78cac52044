"""
Many runs of a command line, each in a fork of one process that has imported the program: to import Twisted takes longer
than to report an invalid option.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.twistd import environment

__all__ = ["TWIST", "TWISTD", "Result", "runInForks"]

TWISTD = "from twisted.scripts.twistd import run"

TWIST = "from twisted.application.twist._twist import Twist; run = lambda: Twist.main(sys.argv)"

#: How many forks run at the same time.
MAX_FORKS = 4

#: Forks for each command line. Each fork runs in the folder of its number, and writes to the files beside it.
SCRIPT = """
import gc, json, os, resource, sys
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import getPlugins
import sockservices.tap
{program}
list(getPlugins(IStreamServerEndpointStringParser))
assert "twisted.internet.reactor" not in sys.modules
gc.freeze()
running, statuses = {{}}, {{}}
def reap():
    pid, status = os.wait()
    statuses[running.pop(pid)] = os.waitstatus_to_exitcode(status)
for number, arguments in enumerate(json.load(sys.stdin)):
    if len(running) == {maximum}:
        reap()
    pid = os.fork()
    if not pid:
        break
    running[pid] = number
else:
    while running:
        reap()
    print(json.dumps([status for _, status in sorted(statuses.items())]))
    sys.exit()
for descriptor, name in (1, "out"), (2, "err"):
    os.dup2(os.open(f"{{number}}.{{name}}", os.O_WRONLY | os.O_CREAT), descriptor)
os.closerange(3, 100)
os.chdir(str(number))
if {openFiles}:
    resource.setrlimit(resource.RLIMIT_NOFILE, ({openFiles}, {openFiles}))
sys.argv = arguments
run()
"""


class Result(NamedTuple):
    """
    What a run leaves.

    @ivar files: the names of the files in its folder, which was empty.
    """

    status: int
    out: str
    err: str
    files: list[str]


def runInForks(program: str, commands: Sequence[Sequence[str]], folder: Path, openFiles: int = 0) -> list[Result]:
    """
    Run a program with each of these argument lists, each in an empty folder of its own.

    @param program: L{TWISTD} or L{TWIST}.
    @param openFiles: the limit of open files; 0 for that of this process.
    """
    for number in range(len(commands)):
        (folder / str(number)).mkdir(parents=True)
    script = SCRIPT.format(program=program, maximum=MAX_FORKS, openFiles=openFiles)
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment(),
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    results = []
    for number, status in enumerate(json.loads(ended.stdout)):
        out, err = ((folder / f"{number}.{name}").read_text() for name in ("out", "err"))
        results.append(Result(status, out, err, os.listdir(folder / str(number))))  # noqa: PTH208
    return results

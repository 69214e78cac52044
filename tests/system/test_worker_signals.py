"""
Signals to all processes of a server with several workers.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.support.twistd import COMMAND, environment
from tests.support.workers import waitUntil


def test_signalsToAllProcessesDuringTheStart() -> None:
    """
    Signals that a terminal or a service manager sends to all processes do not end the workers that start.
    """
    command = [*COMMAND, "--service", "echo=0", "--workers", "2"]
    piped = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    lines = []
    with subprocess.Popen(command, env=environment(), **piped) as process:  # type: ignore[call-overload]
        for line in process.stdout:
            lines.append(line)
            if "listening on" in line:
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                waitUntil(lambda children=children: len(children.read_text().split()) == 2)  # type: ignore[misc]
                os.killpg(process.pid, signal.SIGHUP)
                os.killpg(process.pid, signal.SIGUSR1)
            if "ready:" in line:
                os.killpg(process.pid, signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM, lines
    assert any("ready: 1 listener, 2 workers" in line for line in lines), lines
    assert not any("did not start" in line or "ended" in line for line in lines), lines

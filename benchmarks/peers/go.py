"""
Go: package net, a goroutine per connection.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SERVICES = {"tcp", "udp", "welcome", "greet"}
WORKERS = "threads"
PROGRAM = "go"


def serve(service: str, folder: Path, workers: int = 1) -> None:
    """
    Replace this process by the program compiled from C{echo.go}; the first run compiles it.
    """
    program = folder / "echo-go"
    if not program.exists():
        subprocess.run(["go", "build", "-o", program, Path(__file__).with_name("echo.go")], check=True)
    os.execve(program, ["echo-go", service], os.environ | {"GOMAXPROCS": str(workers)})

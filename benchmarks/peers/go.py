"""
Go: package net, a goroutine per connection.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SERVICES = {"tcp", "udp", "welcome"}
PROGRAM = "go"


def serve(service: str, folder: Path) -> None:
    """
    Replace this process by the program compiled from C{echo.go}; the first run compiles it.
    """
    program = folder / "echo-go"
    if not program.exists():
        subprocess.run(["go", "build", "-o", program, Path(__file__).with_name("echo.go")], check=True)
    os.execv(program, ["echo-go", service])

"""
Go: package net, a goroutine for every connection.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SERVICES = {"tcp", "udp", "welcome"}
PROGRAM = "go"


def serve(service: str, folder: Path) -> None:
    """
    Become the program that is built from C{echo.go} when it is first wanted.
    """
    program = folder / "echo-go"
    if not program.exists():
        subprocess.run(["go", "build", "-o", program, Path(__file__).with_name("echo.go")], check=True)
    os.execv(program, ["echo-go", service])

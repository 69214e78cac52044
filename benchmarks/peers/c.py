"""
C: one thread, epoll, recv and send.
"""

from __future__ import annotations

import os
from pathlib import Path

SERVICES = {"tcp", "udp", "welcome", "greet"}
WORKERS = "processes"


def serve(service: str, folder: Path, workers: int = 1) -> None:
    """
    Replace this process by the program compiled from C{echo.c}.
    """
    os.execv(folder / "echo", ["echo", service, str(workers)])

"""
sockservices --workers 2: this project with two worker processes, with limits.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import sockservices

SERVICES = {"tcp", "udp", "welcome"}
LIBRARY = "twisted"


def serve(service: str, folder: Path) -> None:
    """
    Run C{twistd}.
    """
    sockservices.serve(service, folder, "--workers", "2")

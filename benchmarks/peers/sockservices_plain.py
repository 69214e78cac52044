"""
sockservices --plain: this project on Twisted's own stream transports, with limits.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import sockservices

SERVICES = {"tcp", "welcome"}
LIBRARY = "twisted"


def serve(service: str, folder: Path) -> None:
    """
    Run C{twistd}.
    """
    sockservices.serve(service, folder, options=["--plain"])

"""
sockservices --plain: on Twisted's own stream transports, its limits on.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import sockservices

SERVICES = {"tcp", "welcome"}
LIBRARY = "twisted"


def serve(service: str, folder: Path) -> None:
    """
    Be C{twistd}.
    """
    sockservices.serve(service, folder, "--plain")

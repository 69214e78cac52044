"""
uvloop: a bare asyncio Protocol on the loop of libuv.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.asyncio import listen

SERVICES = {"tcp", "udp", "welcome"}
LIBRARY = "uvloop"


def serve(service: str, folder: Path) -> None:
    """
    Serve with uvloop's loop.
    """
    import uvloop

    uvloop.run(listen(service))

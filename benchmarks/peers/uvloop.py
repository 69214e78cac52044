"""
uvloop: a bare asyncio Protocol on libuv's event loop.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.asyncio import listen

SERVICES = {"tcp", "udp", "welcome"}
LIBRARY = "uvloop"


def serve(service: str, folder: Path) -> None:
    """
    Serve with uvloop's event loop.
    """
    import uvloop

    uvloop.run(listen(service))

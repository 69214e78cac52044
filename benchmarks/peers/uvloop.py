"""
uvloop: a bare asyncio Protocol on libuv's event loop.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers._reuse_port import startWorkers
from benchmarks.peers.asyncio import serveSocket

SERVICES = {"tcp", "udp", "welcome", "greet"}
WORKERS = "processes"
LIBRARY = "uvloop"


def serve(service: str, folder: Path, workers: int = 1) -> None:
    """
    Serve with uvloop's event loop. Several workers are processes, each with a socket of its own.
    """
    import uvloop

    port = startWorkers(service, workers)
    uvloop.run(serveSocket(service, port))

"""
sockservices, this project: twistd -n sockservices, with limits.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import reportPort

SERVICES = {"tcp", "udp", "welcome", "greet"}
LIBRARY = "twisted"
WORKERS = "processes"

#: Limits that no workload reaches, but that the server enforces. By default, some of them exempt loopback sources.
LIMITS = [
    *("--max-connections", "100000", "--max-per-source", "100000"),
    *("--max-rate", "10000000", "--udp-rate", "10000000"),
]
#: The log line of a listener.
LISTENING = re.compile(r" listening on \w+:127\.0\.0\.1:(\d+)$")


def serve(service: str, folder: Path, workers: int = 1, options: Sequence[str] = ()) -> None:
    """
    Run C{twistd}, and report the port from its log line when all workers serve.
    """
    from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
    from twisted.scripts.twistd import run
    from zope.interface import implementer

    ports: list[int] = []

    @implementer(ILogObserver)
    def observe(event: Any) -> None:
        text = formatEvent(event)
        if listening := LISTENING.search(text):
            ports.append(int(listening[1]))
        elif text.startswith("ready: "):
            globalLogPublisher.removeObserver(observe)
            reportPort(ports[0])

    globalLogPublisher.addObserver(observe)
    name, transport = ("echo", service) if service in {"tcp", "udp"} else (service, "tcp")
    sys.argv = [
        "twistd",
        "-n",
        "--pidfile=",
        "sockservices",
        "--proto",
        transport,
        "--service",
        f"{name}=0",
        "--workers",
        str(workers),
        *LIMITS,
        *options,
    ]
    run()

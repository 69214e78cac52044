"""
sockservices, this project: twistd -n sockservices, with limits.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers import reportPort

SERVICES = {"tcp", "udp", "welcome"}
LIBRARY = "twisted"

#: Limits that no workload reaches, but that the server enforces. By default, some of them exempt loopback sources.
LIMITS = [
    *("--max-connections", "100000", "--max-per-source", "100000"),
    *("--max-rate", "10000000", "--udp-rate", "10000000"),
]
#: The log line of a listener.
LISTENING = re.compile(r" listening on \w+:127\.0\.0\.1:(\d+)$")


def serve(service: str, folder: Path, *options: str) -> None:
    """
    Run C{twistd}, and report the port from its log line.
    """
    from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
    from twisted.scripts.twistd import run
    from zope.interface import implementer

    @implementer(ILogObserver)
    def observe(event: Any) -> None:
        if listening := LISTENING.search(formatEvent(event)):
            globalLogPublisher.removeObserver(observe)
            reportPort(int(listening[1]))

    globalLogPublisher.addObserver(observe)
    name, transport = ("welcome", "tcp") if service == "welcome" else ("echo", service)
    sys.argv = [
        "twistd",
        "-n",
        "--pidfile=",
        "sockservices",
        "--proto",
        transport,
        "--service",
        f"{name}=0",
        *LIMITS,
        *options,
    ]
    run()

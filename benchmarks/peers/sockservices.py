"""
sockservices, which is this project: twistd -n sockservices, its limits on.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers import ready

SERVICES = {"tcp", "udp", "welcome"}
LIBRARY = "twisted"

#: Limits that nothing here reaches, but that are kept account of: left alone, some of them exempt loopback.
LIMITS = [
    *("--max-connections", "100000", "--max-per-source", "100000"),
    *("--max-rate", "10000000", "--udp-rate", "10000000"),
]
LISTENING = re.compile(r" listening on \w+:127\.0\.0\.1:(\d+)$")


def serve(service: str, folder: Path, *options: str) -> None:
    """
    Be C{twistd}, and wait for the line of its log that names the port.
    """
    from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
    from twisted.scripts.twistd import run
    from zope.interface import implementer

    @implementer(ILogObserver)
    def observe(event: Any) -> None:
        if listening := LISTENING.search(formatEvent(event)):
            globalLogPublisher.removeObserver(observe)
            ready(int(listening[1]))

    globalLogPublisher.addObserver(observe)
    name, proto = ("welcome", "tcp") if service == "welcome" else ("echo", service)
    sys.argv = [
        "twistd",
        "-n",
        "--pidfile=",
        "sockservices",
        "--proto",
        proto,
        "--service",
        f"{name}=0",
        *LIMITS,
        *options,
    ]
    run()

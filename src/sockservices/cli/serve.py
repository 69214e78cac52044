"""
The C{sockservices serve} command: C{twistd sockservices} without twistd's own words. It needs Twisted alone.
"""

from __future__ import annotations

import sys

__all__ = ["serve"]


def serve(arguments: list[str]) -> None:
    """
    Serve in the foreground, without a pid file, until the process is told to stop.
    """
    from twisted.scripts.twistd import run

    sys.argv = ["sockservices serve", "--nodaemon", "--pidfile=", "sockservices", *arguments]
    run()

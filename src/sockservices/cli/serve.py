"""
C{sockservices serve}: the same server as C{twistd sockservices}, without twistd's options. It needs Twisted alone.
"""

from __future__ import annotations

import sys

__all__ = ["serve"]


def serve(arguments: list[str]) -> None:
    """
    Serve in the foreground, without a pid file, until a signal stops the process.
    """
    from twisted.scripts.twistd import run

    sys.argv = ["sockservices serve", "--nodaemon", "--pidfile=", "sockservices", *arguments]
    run()

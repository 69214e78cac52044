"""
C{sockservices serve}: the same server as C{twistd sockservices}, in the foreground. It needs Twisted alone.
"""

from __future__ import annotations

import sys

__all__ = ["serve"]


def serve(arguments: list[str]) -> None:
    """
    Serve until a signal stops the process.
    """
    from twisted.application.app import run
    from twisted.scripts.twistd import runApp

    from sockservices.server.serve_options import ForegroundOptions

    sys.argv = ["sockservices serve", "--nodaemon", "--pidfile=", "sockservices", *arguments]
    run(runApp, ForegroundOptions)

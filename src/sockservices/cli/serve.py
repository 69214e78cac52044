"""
C{sockservices serve}: the same server as C{twistd sockservices}, in the foreground. It needs Twisted alone.
"""

from __future__ import annotations

import sys

from sockservices.cli.exit_status import USAGE

__all__ = ["serve"]


def serve(arguments: list[str]) -> None:
    """
    Serve until a signal stops the process.

    @raise SystemExit: with status L{USAGE} for an error in the command line, as in the other commands; twistd's is 1.
    """
    from twisted.application.app import run
    from twisted.scripts.twistd import runApp

    from sockservices.server.serve_options import ForegroundOptions
    from sockservices.server.twistd import InvalidCommandLine

    sys.argv = ["sockservices serve", "--nodaemon", "--pidfile=", "sockservices", *arguments]
    try:
        run(runApp, ForegroundOptions)
    except InvalidCommandLine as error:
        print(error.code, file=sys.stderr)
        raise SystemExit(USAGE) from None

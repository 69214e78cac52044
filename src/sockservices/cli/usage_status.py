"""
The exit status of errors in the command line of C{serve}.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sockservices.cli.exit_status import USAGE

__all__ = ["usageStatus"]


@contextmanager
def usageStatus() -> Iterator[None]:
    """
    Exit with status L{USAGE} for an error in the command line, as the other commands do. twistd exits with 1.
    """
    from sockservices.server.twistd import InvalidCommandLine

    try:
        yield
    except InvalidCommandLine as error:
        print(error.code, file=sys.stderr)
        raise SystemExit(USAGE) from None

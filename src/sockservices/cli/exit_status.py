"""
The exit statuses of the commands, as docs/client.md documents them. Scripts rely on them.

This module imports nothing at run time: L{sockservices.__main__} needs it before the optional packages are known to be
installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sockservices.client import Verdict

__all__ = ["INTERRUPTED", "OUTPUT_CLOSED", "OUTPUT_FAILED", "USAGE", "exitStatus"]

USAGE = 64  #: invalid command line (EX_USAGE of sysexits.h)
OUTPUT_FAILED = 74  #: standard output cannot be written (EX_IOERR of sysexits.h)
INTERRUPTED = 130  #: Ctrl-C (128 + SIGINT)
OUTPUT_CLOSED = 141  #: the reader of standard output has closed it (128 + SIGPIPE)

#: By the values of L{Verdict}. No verdict has status 1, that of a Python traceback.
_BY_VERDICT = {
    "ok": 0,
    "check failed": 2,
    "refused": 10,
    "reset": 11,
    "timeout": 12,
    "eof": 13,
    "short": 14,
    "corrupt": 15,
    "wrong-source": 16,
    "unreachable": 17,
    "dns": 18,
    "no-connection": 19,
    "no-answer": 20,
    "incomplete": 21,
    "usage": USAGE,
}


def exitStatus(verdict: Verdict) -> int:
    """
    Give the exit status of a command that ends with a verdict.
    """
    return _BY_VERDICT[verdict.value]

"""
What the command owes to twistd, which runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from sockservices.monitoring.log import logObserver
from sockservices.server.config import ServerConfig
from sockservices.server.start_trial import tryStart
from sockservices.text.values import printable

__all__ = ["InvalidCommandLine", "checkTwistdOptions", "exitWithError", "twistdObserver"]

#: The highest user or group ID: for setreuid(2), 2^32 - 1 means an unchanged ID.
MAX_ID = 2**32 - 2


class InvalidCommandLine(SystemExit):
    """
    An error in the command line. C{sockservices serve} gives it an exit status of its own.
    """


def exitWithError(text: str, error: type[SystemExit] = SystemExit) -> NoReturn:
    """
    Exit with one line on standard error, and status 1.

    @param error: the exception that ends the process.
    """
    raise error("sockservices: " + printable(" ".join(text.split())))


def checkTwistdOptions(twistd: Mapping[str, Any], config: ServerConfig, arguments: Sequence[str]) -> None:
    """
    Exit with an error for values that twistd would reject only later, with a traceback and with open sockets.

    @param twistd: its options; empty under another command.
    @param config: the server.
    @param arguments: its options.
    """
    for option in ("uid", "gid"):
        number = twistd.get(option)
        if number is not None and not 0 <= number <= MAX_ID:
            exitWithError(f"--{option} {number}: expected 0 to {MAX_ID}", InvalidCommandLine)
    umask = twistd.get("umask")
    if umask is not None and not 0 <= umask <= 0o777:
        exitWithError(f"--umask {umask:o}: expected 0 to 777", InvalidCommandLine)
    error = tryStart(twistd, config, arguments)
    if error:
        exitWithError(error)


def twistdObserver(logFormat: str, twistd: Mapping[str, Any], reactor: Any) -> Any:
    """
    The observer that logs in a format to the log of twistd's options; L{None} if another command logs.
    """
    if not twistd or twistd.get("logger"):
        if logFormat != "text":
            exitWithError(f"--log-format {logFormat}: the --logger of twistd has a format of its own")
        return None
    try:
        return logObserver(logFormat, twistd, reactor)
    except (OSError, ValueError) as error:
        exitWithError(f"--logfile {twistd['logfile'] or '-'}: {error}")

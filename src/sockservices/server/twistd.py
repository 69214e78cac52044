"""
What the command owes to twistd, which runs it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from pwd import getpwuid
from typing import Any

from sockservices.monitoring.log import logObserver
from sockservices.server.options import exitWithError

__all__ = ["checkTwistdOptions", "keptGroups", "twistdObserver"]


def checkTwistdOptions(twistd: Mapping[str, Any]) -> None:
    """
    Exit for what twistd would find wrong only later, with a traceback, while every socket is open.

    @param twistd: its options; empty under another command.
    """
    uid, pidfile = twistd.get("uid"), twistd.get("pidfile")
    if pidfile and not Path(pidfile).parent.is_dir():
        exitWithError(f"--pidfile {pidfile}: there is no such folder")
    if uid is not None:
        try:
            getpwuid(uid)
        except KeyError:
            exitWithError(f"--uid {uid}: there is no such user")


def keptGroups(twistd: Mapping[str, Any]) -> list[int] | None:
    """
    The groups to keep when privileges are shed, where twistd would keep all of root's: with C{--gid} alone.
    """
    uid, gid = twistd.get("uid"), twistd.get("gid")
    return [gid] if gid is not None and uid is None and os.geteuid() == 0 else None


def twistdObserver(logFormat: str, twistd: Mapping[str, Any], reactor: Any) -> Any:
    """
    The observer that logs in a format to where twistd's options say; L{None} where another command logs.
    """
    if not twistd or twistd.get("logger"):
        if logFormat != "text":
            exitWithError(f"--log-format {logFormat}: the --logger of twistd has a format of its own")
        return None
    try:
        return logObserver(logFormat, twistd, reactor)
    except (OSError, ValueError) as error:
        exitWithError(f"--logfile {twistd['logfile'] or '-'}: {error}")

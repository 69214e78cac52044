"""
The options of C{sockservices serve}: those of the server, and the few of twistd that it needs in the foreground.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import ServiceMaker
from twisted.python.usage import CompleteFiles, CompleteGroups, CompleteUsernames, Completions, Options, UsageError
from twisted.python.util import gidFromString, uidFromString
from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]

from sockservices.server.options import Options as ServerPluginOptions

__all__ = ["ForegroundOptions", "ServeOptions"]


class ServeOptions(ServerPluginOptions):
    """
    The options that a user gives.
    """

    ownLinesOnly = True
    parent: Any
    compData = Completions(
        optActions={"uid": CompleteUsernames(), "gid": CompleteGroups(), "pidfile": CompleteFiles("*.pid")}
    )
    opt_h = Options.opt_help

    def opt_uid(self, user: str) -> None:
        """
        The user to run as when every socket is open, by name or number.
        """
        self.parent["uid"] = _number(uidFromString, "uid", user, "user")

    def opt_gid(self, group: str) -> None:
        """
        The group to run as, by name or number. [default: that of the user]
        """
        self.parent["gid"] = _number(gidFromString, "gid", group, "group")

    def opt_pidfile(self, path: str) -> None:
        """
        PATH of a file for the number of the process. [default: none]
        """
        self.parent["pidfile"] = path


def _number(parse: Callable[[str], int], option: str, text: str, kind: str) -> int:
    try:
        return parse(text)
    except (KeyError, ValueError):
        raise UsageError(f"--{option} {text}: there is no such {kind}") from None


class ForegroundOptions(ServerOptions):
    """
    The options of twistd, with one plugin: it is not searched for, so that a stale plugin cache does not matter.
    """

    @property
    def subCommands(self) -> Iterator[tuple[str, None, type[ServeOptions], str]]:
        """
        The one subcommand.
        """
        maker = ServiceMaker("sockservices", "sockservices.tap", "", "sockservices")
        self.loadedPlugins = {"sockservices": maker}
        yield "sockservices", None, ServeOptions, ""

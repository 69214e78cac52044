"""
The options of a worker: those of its supervisor, which has checked them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.python import usage

from sockservices.server.serve_options import ServeOptions

__all__ = ["WorkerOptions"]


class WorkerOptions(ServeOptions):
    """
    The options of C{twistd sockservices} and C{sockservices serve}. Parsing them has no effect on this process.
    """

    #: Not empty, because a worker accepts all values of C{--log-format}, as under twistd.
    twistd: Mapping[str, Any] = {"nodaemon": True}

    def __init__(self) -> None:
        super().__init__()
        self.parent: dict[str, Any] = {}

    def parseOptions(self, options: list[str] | None = None) -> None:
        """
        Parse, without the checks that the supervisor has made and the warnings that it has printed.
        """
        usage.Options.parseOptions(self, options)

"""
The option C{--workers}.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.python.usage import UsageError

from sockservices.server.config import ServerConfig
from sockservices.server.cores import availableCores

__all__ = ["MAX_WORKERS", "checkWorkers", "workersOf"]

#: The most processes of one server.
MAX_WORKERS = 256


def workersOf(options: Mapping[str, Any]) -> int:
    """
    The number of workers that the user asked for.

    @raise UsageError: if it is neither a number of workers nor C{auto}, or this system has no memory to share.
    """
    text = options["workers"]
    if text == "auto":
        return min(availableCores(), MAX_WORKERS) if hasattr(os, "memfd_create") else 1
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MAX_WORKERS):
        raise UsageError(f"--workers {text}: expected 1 to {MAX_WORKERS}, or auto")
    if int(text) > 1 and not hasattr(os, "memfd_create"):
        raise UsageError(f"--workers {text}: expected 1; more need memfd_create(2), which Linux has")
    return int(text)


def checkWorkers(config: ServerConfig, twistd: Mapping[str, Any]) -> None:
    """
    Reject what several workers cannot do.

    @param twistd: the options of twistd.
    @raise UsageError: naming the option and what is expected.
    """
    if config.workers == 1:
        return
    if twistd.get("chroot") is not None:
        raise UsageError(f"--chroot: expected --workers 1, not {config.workers}: a worker starts in the new root")

"""
Rejects options that have no effect because another one is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.python.usage import UsageError

from sockservices.server.config import ListenerConfig

__all__ = ["rejectUnused"]


def rejectUnused(options: Mapping[str, Any], listeners: Sequence[ListenerConfig]) -> None:
    """
    Reject options that no listener uses. Limits are not rejected: one that counts nothing is harmless, and a command
    line may set all of them, whichever listeners it has.

    @raise UsageError: naming the option, and the option that is missing.
    """
    if all(each.portGroup is None for each in listeners):
        if options["interface"]:
            raise UsageError("--interface: expected --service beside it; a --listen takes :interface=ADDRESS")
        if options["proto"] != "tcp":
            raise UsageError(f"--proto {options['proto']}: expected --service beside it; a --listen has its transport")
    if options["udp-rfc-size"] and not any(each.datagrams for each in listeners):
        raise UsageError("--udp-rfc-size: expected a listener for datagrams, such as --proto udp")
    if options["journal"] and options["journal"] == options["ports-file"]:
        raise UsageError(f"--journal {options['journal']}: expected another file than that of --ports-file")

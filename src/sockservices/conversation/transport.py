"""
The transports that a service is served on.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Transport"]


class Transport(StrEnum):
    """
    A transport; its value is the name used on the command line, in the log, in C{whoami} and in a visit.
    """

    TCP = "tcp"
    UDP = "udp"
    UNIX = "unix"
    UNIXGRAM = "unixgram"

    @property
    def isStream(self) -> bool:
        """
        Whether it carries connections; else it carries datagrams.
        """
        return self in (Transport.TCP, Transport.UNIX)

    @property
    def isInet(self) -> bool:
        """
        Whether its addresses are IP addresses; else they are paths.
        """
        return self in (Transport.TCP, Transport.UDP)

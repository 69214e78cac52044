"""
The addresses of a connection, made on demand.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp

__all__ = ["LazyAddresses"]


class LazyAddresses(tcp.Server):
    """
    The part of L{Connection<sockservices.transports.connection.Connection>} that makes names and addresses on demand.
    Twisted's own transports make them at once for every connection.
    """

    server: Any
    _peer: Any

    @property
    def hostname(self) -> Any:  # type: ignore[override]
        """
        The peer's IP address, or the name of its Unix socket.
        """
        return getattr(self._peer, "host", None) or getattr(self._peer, "name", None)

    def getPeer(self) -> Any:
        """
        The peer's address.
        """
        return self._peer

    def getHost(self) -> Any:
        """
        The local address.
        """
        return self.server.address(self.socket.getsockname())

    def logPrefix(self) -> str:
        """
        The prefix of log lines.
        """
        return f"{self._getLogPrefix(getattr(self, 'protocol', None))},{self.sessionno},{self.hostname}"

    def __repr__(self) -> str:
        protocol = getattr(self, "protocol", None)
        return f"<{type(protocol).__name__} #{self.sessionno} of {self._peer}>"

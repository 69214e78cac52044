"""
The address of a name.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from sockservices.client.verdict import Unanswered, Verdict

__all__ = ["resolve"]


def resolve(host: str, reactor: Any) -> Deferred[str]:
    """
    Look a name up; an IP address is its own. Of several addresses the first of IPv4 is taken, if there is one: where
    C{localhost} has two, most servers are there.

    @param reactor: an L{IReactorPluggableNameResolver<twisted.internet.interfaces.IReactorPluggableNameResolver>}.
    @return: an IP address; fails with L{Unanswered}.
    """
    found = _Found(host)
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        reactor.nameResolver.resolveHostName(found, host, transportSemantics="UDP")
    except UnicodeError:
        # No name can look like that: Twisted's resolver would log it, and never end.
        found.resolutionComplete()
    else:
        return succeed(host)
    return found.address


@implementer(IResolutionReceiver)
class _Found:
    """
    Takes one of the addresses that a name has.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._addresses: list[str] = []
        self.address: Deferred[str] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        Nothing to see yet.
        """

    def addressResolved(self, address: IAddress) -> None:
        """
        Keep it.
        """
        self._addresses.append(address.host)  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        """
        There are no more.
        """
        if self._addresses:
            self.address.callback(min(self._addresses, key=lambda address: ":" in address))
        else:
            self.address.errback(Unanswered(Verdict.DNS, f"the name {self._host!r} does not resolve"))

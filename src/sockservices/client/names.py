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
    Look a name up; an IP address is its own.

    @param reactor: an L{IReactorPluggableNameResolver}.
    @return: an IP address; fails with L{Unanswered}.
    """
    first = _First(host)
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        reactor.nameResolver.resolveHostName(first, host, transportSemantics="UDP")
    except UnicodeError:
        # No name can look like that: Twisted's resolver would log it, and never end.
        first.resolutionComplete()
    else:
        return succeed(host)
    return first.found


@implementer(IResolutionReceiver)
class _First:
    """
    Takes the first address that a name has.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self.found: Deferred[str] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        Nothing to see yet.
        """

    def addressResolved(self, address: IAddress) -> None:
        """
        Take it, if it is the first.
        """
        if not self.found.called:
            self.found.callback(address.host)  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        """
        There are no more.
        """
        if not self.found.called:
            self.found.errback(Unanswered(Verdict.DNS, f"the name {self._host!r} does not resolve"))

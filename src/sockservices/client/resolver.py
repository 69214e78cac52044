"""
Name resolution: one IP address for a host name.
"""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IReactorPluggableNameResolver,
    IReactorTime,
    IResolutionReceiver,
)
from zope.interface import implementer

from sockservices.client.request_failed import RequestFailed, Verdict
from sockservices.client.timeout import withTimeout

__all__ = ["resolve"]


def resolve(host: str, reactor: IReactorTime, timeout: float | None = None) -> Deferred[str]:
    """
    Resolve a host name to its first IPv4 address, or else to its first IPv6 address. An IP address resolves to itself.

    IPv4 comes first because C{localhost} often has both, and most servers listen on C{127.0.0.1} alone.

    @param reactor: an L{IReactorPluggableNameResolver<twisted.internet.interfaces.IReactorPluggableNameResolver>}.
    @param timeout: seconds to wait for the name servers; L{None} for their own timeouts.
    @return: fires with an IP address; fails with L{RequestFailed}.
    """
    receiver = _FirstAddress(host)
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        IReactorPluggableNameResolver(reactor).nameResolver.resolveHostName(receiver, host, transportSemantics="UDP")
    except UnicodeError:
        # Twisted's resolver logs a name that IDNA cannot encode, and never completes.
        receiver.resolutionComplete()
    else:
        return succeed(host)
    return withTimeout(receiver.address, timeout, reactor, f"the host name {host!r} did not resolve")


@implementer(IResolutionReceiver)
class _FirstAddress:
    """
    Collects the addresses of a host name, and chooses one.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._addresses: list[str] = []
        self.address: Deferred[str] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        Do nothing: no address is known yet.
        """

    def addressResolved(self, address: IAddress) -> None:
        self._addresses.append(address.host)  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        if self._addresses:
            self.address.callback(min(self._addresses, key=lambda address: ":" in address))
        else:
            self.address.errback(RequestFailed(Verdict.DNS, f"the host name {self._host!r} does not resolve"))

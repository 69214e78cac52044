"""
Opening a stream connection.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory as TwistedClientFactory

from sockservices.client.protocol import ClientProtocol
from sockservices.client.request_failed import convertFailure
from sockservices.client.timeout import withTimeout

__all__ = ["ClientFactory", "connect"]


class ClientFactory(TwistedClientFactory):
    """
    Makes one L{ClientProtocol} for each connection.
    """

    protocol = ClientProtocol
    noisy = False

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: an L{IReactorTime<twisted.internet.interfaces.IReactorTime>} for the timeouts.
        """
        self._clock = clock

    def buildProtocol(self, addr: IAddress | None) -> ClientProtocol:
        """
        Make the protocol of one connection.
        """
        return self.protocol(self._clock)


def connect(
    endpoint: IStreamClientEndpoint, *, reactor: IReactorTime, timeout: float | None = None
) -> Deferred[ClientProtocol]:
    """
    Open a connection.

    @param reactor: the clock of the timeouts.
    @param timeout: seconds to wait for the connection; L{None} for the endpoint's own timeout.
    @return: fires with the connected protocol; fails with L{RequestFailed}.
    """
    connecting: Deferred[Any] = endpoint.connect(ClientFactory(reactor))
    return withTimeout(connecting, timeout, reactor, "no connection").addErrback(convertFailure)

"""
Opening a stream connection.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory as TwistedClientFactory

from sockservices.client.protocol import ClientProtocol
from sockservices.client.request_failed import RequestFailed, Verdict, convertFailure
from sockservices.client.timeout import failAfter

__all__ = ["ClientFactory", "connect"]


class ClientFactory(TwistedClientFactory):
    """
    Makes one L{ClientProtocol} for each connection.

    @ivar attempted: whether a connection attempt has started. A L{HostnameEndpoint
        <twisted.internet.endpoints.HostnameEndpoint>} first resolves the name.
    """

    protocol = ClientProtocol
    noisy = False
    attempted = False

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    def startFactory(self) -> None:
        """
        Record that the first connection attempt starts.
        """
        self.attempted = True

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
    factory = ClientFactory(reactor)

    def silenceFailure() -> RequestFailed:
        if isinstance(endpoint, HostnameEndpoint) and not factory.attempted:
            return RequestFailed(Verdict.TIMEOUT, f"the host name did not resolve within {timeout:g} s")
        return RequestFailed(Verdict.NO_CONNECTION, f"no connection within {timeout:g} s")

    connecting: Deferred[Any] = endpoint.connect(factory)
    return failAfter(connecting, timeout, reactor, silenceFailure).addErrback(convertFailure)

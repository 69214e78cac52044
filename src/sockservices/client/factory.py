"""
Beginning a conversation.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory as TwistedClientFactory

from sockservices.client.protocol import ClientProtocol
from sockservices.client.verdict import judged
from sockservices.client.within import within

__all__ = ["ClientFactory", "connect"]


class ClientFactory(TwistedClientFactory):
    """
    Makes the client's side of conversations.
    """

    protocol = ClientProtocol
    noisy = False

    def __init__(self, clock: Any) -> None:
        """
        @param clock: an L{IReactorTime<twisted.internet.interfaces.IReactorTime>} for the timeouts.
        """
        self._clock = clock

    def buildProtocol(self, addr: IAddress | None) -> ClientProtocol:
        """
        A protocol for one conversation.
        """
        return self.protocol(self._clock)


def connect(endpoint: IStreamClientEndpoint, *, reactor: Any, timeout: float | None = None) -> Deferred[ClientProtocol]:
    """
    Begin a conversation.

    @param reactor: the clock.
    @param timeout: the seconds in which there must be a connection; L{None} leaves that to the endpoint.
    @return: fails with L{Unanswered}.
    """
    connecting: Deferred[Any] = endpoint.connect(ClientFactory(reactor))
    return within(connecting, timeout, reactor, "no connection").addErrback(judged)

"""
A server behind TLS: C{tls://HOST:PORT}.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from zope.interface import implementer

from sockservices.client import Target, target

__all__ = ["RecordableTarget", "TlsTarget", "recordableTarget"]

SCHEME = "tls"


class TlsTarget(NamedTuple):
    """
    The address of a server behind TLS. It has what a relay uses of a L{Target<sockservices.client.Target>}.

    @ivar inner: the address of its TCP port.
    """

    inner: Target

    @property
    def stream(self) -> bool:
        """
        Whether the transport is a stream.
        """
        return True

    def endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """
        Make the client endpoint. It verifies the certificate by the roots of the platform, and by the host's name.
        """
        return _TlsEndpoint(reactor, self.inner)

    def __str__(self) -> str:
        return f"{SCHEME}{str(self.inner).removeprefix(self.inner.transport)}"


@implementer(IStreamClientEndpoint)
class _TlsEndpoint:
    """
    Connects with TLS. The endpoints of Twisted's C{tls:} strings write by the clock of the global reactor, which does
    not run here.
    """

    def __init__(self, reactor: Any, inner: Target) -> None:
        from twisted.internet.ssl import optionsForClientTLS  # This import needs pyOpenSSL.

        self._reactor = reactor
        self._endpoint = inner.endpoint(reactor)
        self._options = optionsForClientTLS(inner.address[0])

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect, and begin the handshake.
        """
        from twisted.protocols.tls import TLSMemoryBIOFactory

        wrapped = TLSMemoryBIOFactory(self._options, True, protocolFactory, IReactorTime(self._reactor))
        connecting: Deferred[Any] = self._endpoint.connect(wrapped)
        return connecting.addCallback(lambda protocol: protocol.wrappedProtocol)


#: A server that can be recorded.
RecordableTarget: TypeAlias = Target | TlsTarget


def recordableTarget(url: str) -> RecordableTarget:
    """
    Parse the URL of a server, which may be behind TLS.

    @raise ValueError: with one line that gives the URL and the expected form.
    """
    scheme, _, address = url.partition("://")
    tls = scheme.lower() == SCHEME
    inner = f"tcp://{address}" if tls else url
    try:
        return TlsTarget(target(inner)) if tls else target(inner)
    except ValueError as error:
        text = str(error).replace(inner, url, 1)
        raise ValueError(text.replace("tcp://HOST:PORT,", f"tcp://HOST:PORT, {SCHEME}://HOST:PORT,")) from None

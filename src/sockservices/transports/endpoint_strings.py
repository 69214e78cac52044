"""
Parsers of endpoint strings for the transports of this package: C{fasttcp:8007} instead of C{tcp:8007}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer

from sockservices.conversation.transport import Transport
from sockservices.transports.binding_strings import fileMode, portNumber
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.endpoints import StreamEndpoint
from sockservices.transports.reactor import Reactor

__all__ = ["FastTCP", "FastUNIX"]


def _real(reactor: Reactor) -> Reactor:
    """
    The reactor itself, where C{streamService} parses the string with a wrapper around it.
    """
    real: Reactor = getattr(reactor, "realReactor", reactor)
    return real


@implementer(IPlugin, IStreamServerEndpointStringParser)
class FastTCP:
    """
    Parses C{fasttcp:PORT[:interface=ADDRESS]}.
    """

    prefix = "fasttcp"

    def parseStreamServer(self, reactor: Reactor, port: str, interface: str = "0.0.0.0") -> StreamEndpoint:  # type: ignore[override]
        """
        Make an endpoint for TCP.

        @param port: 0 to 65535.
        @param interface: an IP address; by default all IPv4 interfaces, as with C{tcp:}. C{::} is all IPv6 interfaces.
        @raise ValueError: when port or interface is invalid.
        """
        return StreamEndpoint(_real(reactor), InetBinding(Transport.TCP, portNumber(port), interface))


@implementer(IPlugin, IStreamServerEndpointStringParser)
class FastUNIX:
    """
    Parses C{fastunix:PATH[:mode=OCTAL]}.
    """

    prefix = "fastunix"

    def parseStreamServer(self, reactor: Reactor, address: str, mode: str = "666") -> StreamEndpoint:  # type: ignore[override]
        """
        Make an endpoint for Unix stream sockets. Unlike C{unix:}, this makes no lock file.

        @param address: the path of the socket, or C{@name} in the abstract namespace.
        @param mode: octal permissions; by default every user may connect, as with C{unix:}.
        @raise ValueError: when path or mode is invalid.
        """
        return StreamEndpoint(_real(reactor), UnixBinding(Transport.UNIX, address, fileMode(mode)))

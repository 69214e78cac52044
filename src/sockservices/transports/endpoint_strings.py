"""
The fast transports by name, for any server whose endpoint is a string: C{fasttcp:8007} in place of C{tcp:8007}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding, UnixBinding, portNumber
from sockservices.transports.endpoints import StreamEndpoint

__all__ = ["FastTCP", "FastUNIX"]


@implementer(IPlugin, IStreamServerEndpointStringParser)
class FastTCP:
    """
    C{fasttcp:PORT[:interface=ADDRESS]}.
    """

    prefix = "fasttcp"

    def parseStreamServer(self, reactor: Any, port: str, interface: str = "0.0.0.0") -> StreamEndpoint:  # type: ignore[override]
        """
        An endpoint for TCP.

        @param interface: by default every one, as with C{tcp:}; C{::} is for IPv6 only.
        @raise ValueError: when port or interface make no sense.
        """
        return StreamEndpoint(reactor, InetBinding(Transport.TCP, portNumber(port), interface))


@implementer(IPlugin, IStreamServerEndpointStringParser)
class FastUNIX:
    """
    C{fastunix:PATH[:mode=OCTAL]}.
    """

    prefix = "fastunix"

    def parseStreamServer(self, reactor: Any, address: str, mode: str = "666") -> StreamEndpoint:  # type: ignore[override]
        """
        An endpoint for Unix streams.

        @param mode: by default everybody may connect, as with C{unix:}. No lock file is made.
        @raise ValueError: when path or mode make no sense.
        """
        return StreamEndpoint(reactor, UnixBinding(Transport.UNIX, address, int(mode, 8)))

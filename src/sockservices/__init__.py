"""
The small services of every socket tutorial and of every inetd, done right, in Twisted.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Census",
    "Conversation",
    "DatagramResponder",
    "Environment",
    "Int8Responder",
    "Int16Responder",
    "Int32Responder",
    "LineResponder",
    "NetstringResponder",
    "Outcome",
    "Policy",
    "RemotePeer",
    "Responder",
    "StreamFactory",
    "StreamProtocol",
    "Visit",
    "World",
    "__version__",
    "datagramService",
    "streamService",
]

if TYPE_CHECKING:
    from sockservices.admission.census import Census
    from sockservices.conversation.context import Conversation, Environment
    from sockservices.conversation.message_responder import (
        Int8Responder,
        Int16Responder,
        Int32Responder,
        LineResponder,
        NetstringResponder,
    )
    from sockservices.conversation.outcome import Outcome
    from sockservices.conversation.policy import Policy
    from sockservices.conversation.responder import Responder
    from sockservices.conversation.visit import Visit
    from sockservices.protocols.datagram import DatagramResponder
    from sockservices.protocols.stream import StreamProtocol
    from sockservices.protocols.stream_factory import StreamFactory
    from sockservices.scripting.remote_peer import RemotePeer
    from sockservices.server.services import datagramService, streamService
else:
    # A name is imported at its first use: every run of pytest imports this package for its plugin, and most runs do not
    # need Twisted. (Type checkers accept any attribute of a module that defines __getattr__.)

    #: Where each name is.
    _MODULES = {
        "Census": "admission.census",
        "Conversation": "conversation.context",
        "DatagramResponder": "protocols.datagram",
        **dict.fromkeys(
            ("Int8Responder", "Int16Responder", "Int32Responder", "LineResponder", "NetstringResponder"),
            "conversation.message_responder",
        ),
        "Outcome": "conversation.outcome",
        "Policy": "conversation.policy",
        "RemotePeer": "scripting.remote_peer",
        "Responder": "conversation.responder",
        "StreamFactory": "protocols.stream_factory",
        "StreamProtocol": "protocols.stream",
        "Visit": "conversation.visit",
        "Environment": "conversation.context",
        "World": "conversation.context",
        "datagramService": "server.services",
        "streamService": "server.services",
    }

    def __getattr__(name):
        """
        Import an exported name at its first use (PEP 562).
        """
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value

    def __dir__():
        """
        All names, imported already or not.
        """
        return sorted({*globals(), *_MODULES})

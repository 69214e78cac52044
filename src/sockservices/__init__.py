"""
The small services of every socket tutorial and of every inetd, done right, in Twisted.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Census",
    "Conversation",
    "DatagramResponder",
    "Outcome",
    "Policy",
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
    from sockservices.census import Census
    from sockservices.datagram import DatagramResponder
    from sockservices.factory import StreamFactory
    from sockservices.policy import Policy
    from sockservices.responder import Conversation, Responder
    from sockservices.server import datagramService, streamService
    from sockservices.stream import StreamProtocol
    from sockservices.visit import Outcome, Visit
    from sockservices.world import World
else:
    # The names are imported when they are first asked for: every run of pytest imports this package for its plugin, and
    # most want nothing of Twisted. (Type checkers would take any name for one of a module with a __getattr__.)

    #: Where each name is.
    _MODULES = {
        "Census": "census",
        "Conversation": "responder",
        "DatagramResponder": "datagram",
        "Outcome": "visit",
        "Policy": "policy",
        "Responder": "responder",
        "StreamFactory": "factory",
        "StreamProtocol": "stream",
        "Visit": "visit",
        "World": "world",
        "datagramService": "server",
        "streamService": "server",
    }

    def __getattr__(name):
        """
        What the package exports, from where it is.
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

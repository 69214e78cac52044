"""
The small services of every socket tutorial and of every inetd, done right, in Twisted.
"""

__version__ = "0.1.0"

from sockservices.census import Census
from sockservices.datagram import DatagramResponder
from sockservices.factory import StreamFactory
from sockservices.policy import Policy
from sockservices.responder import Conversation, Responder
from sockservices.server import datagramService, streamService
from sockservices.stream import StreamProtocol
from sockservices.visit import Outcome, Visit
from sockservices.world import World

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

"""
The other end: asking a service, on any transport, with a plain verdict when no good answer comes.
"""

from sockservices.client.ask import ask, askDatagram, exchange
from sockservices.client.datagram import DatagramClient
from sockservices.client.factory import ClientFactory, connect
from sockservices.client.protocol import ClientProtocol
from sockservices.client.target import Target, target
from sockservices.client.verdict import Unanswered, Verdict

__all__ = [
    "ClientFactory",
    "ClientProtocol",
    "DatagramClient",
    "Target",
    "Unanswered",
    "Verdict",
    "ask",
    "askDatagram",
    "connect",
    "exchange",
    "target",
]

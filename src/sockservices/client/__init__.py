"""
Client library: send a request to a service over TCP, UDP or Unix sockets, and get its answer or a verdict.
"""

from sockservices.client.ask import ask, askDatagram, exchange
from sockservices.client.connect import ClientFactory, connect
from sockservices.client.datagram import DatagramClient
from sockservices.client.protocol import ClientProtocol
from sockservices.client.request_failed import RequestFailed, Verdict
from sockservices.client.target import Target, target, targets

__all__ = [
    "ClientFactory",
    "ClientProtocol",
    "DatagramClient",
    "RequestFailed",
    "Target",
    "Unanswered",
    "Verdict",
    "ask",
    "askDatagram",
    "connect",
    "exchange",
    "target",
    "targets",
]

#: The name of L{RequestFailed} in version 0.1.0.
Unanswered = RequestFailed

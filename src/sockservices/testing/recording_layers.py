"""
The layers that record what passes between a server and its peers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sockservices.monitoring.journal import Journal, layersWithJournal
from sockservices.testing.received import Received, ReceivedDatagrams, ReceivedStream

__all__ = ["recordingLayers"]


def recordingLayers(stream: bool, journal: Journal, received: Received) -> list[Any]:
    """
    Make the layers for connections, or for datagrams.
    """
    streams, datagrams = partial(ReceivedStream, received=received), partial(ReceivedDatagrams, received=received)
    return layersWithJournal(journal, [streams], [datagrams])[not stream]

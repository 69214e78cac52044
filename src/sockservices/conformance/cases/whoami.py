"""
Cases for C{whoami}.
"""

from __future__ import annotations

import json

from sockservices.conformance.cases.once import speaksOnce
from sockservices.conformance.datagrams import PADDED, FarDatagrams
from sockservices.conformance.deviation import Deviation, shown
from sockservices.conformance.heard import Heard
from sockservices.conformance.service import Service
from sockservices.conformance.stream import FarStream

__all__ = ["whoami"]

whoami = Service("whoami", "this project")
speaksOnce(whoami, anyDatagram=False)


@whoami.tcp("says in a line of JSON who we are, and ends")
async def onStream(far: FarStream) -> None:
    heard = await far.ask(finish=False)
    _us(heard)
    heard.ended()


@whoami.udp("says in a line of JSON who we are, where the datagram leaves room")
async def inDatagram(far: FarDatagrams) -> None:
    _us(await far.ask(PADDED))


def _us(heard: Heard) -> None:
    """
    One line, an object, and our address in it.
    """
    try:
        said = json.loads(heard.words)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or len(heard.words.splitlines()) != 1 or not heard.words.endswith(b"\n"):
        raise Deviation(str(heard), "a line with a JSON object")
    if said.get("peer") != heard.ours:
        # JSON may hold what is no text.
        peer = str(said.get("peer")).encode("ascii", "backslashreplace")
        raise Deviation(f"peer {shown(peer)}", f"peer {heard.ours}")

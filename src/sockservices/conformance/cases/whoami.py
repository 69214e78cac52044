"""
The cases of C{whoami}.
"""

from __future__ import annotations

import json

from sockservices.conformance.cases.shared import declareSendAndClose
from sockservices.conformance.excerpt import excerpt
from sockservices.conformance.remote_datagrams import LONG_REQUEST, RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.response import Deviation, Response
from sockservices.conformance.suite import Suite

__all__ = ["whoami"]

whoami = Suite("whoami", "this project")
declareSendAndClose(whoami, anyDatagram=False)


@whoami.tcp("sends the client's address in one line of JSON, then closes")
async def overTcp(remote: RemoteStream) -> None:
    response = await remote.request(halfClose=False)
    _expectClientAddress(response)
    response.expectEof()


@whoami.udp("replies with the client's address in one line of JSON to 512 bytes")
async def overUdp(remote: RemoteDatagrams) -> None:
    _expectClientAddress(await remote.request(LONG_REQUEST))


def _expectClientAddress(response: Response) -> None:
    """
    Expect one line, a JSON object, whose C{peer} is the local address.
    """
    try:
        fields = json.loads(response.data)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or len(response.data.splitlines()) != 1 or not response.data.endswith(b"\n"):
        raise Deviation(str(response), "a line with a JSON object")
    if fields.get("peer") != response.localAddress:
        # A JSON string may hold surrogates, which UTF-8 cannot encode.
        peer = str(fields.get("peer")).encode("ascii", "backslashreplace")
        raise Deviation(f"peer {excerpt(peer)}", f"peer {response.localAddress}")

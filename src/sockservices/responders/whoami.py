"""
The whoami service: the address of the peer at the server.
"""

from __future__ import annotations

import json

from sockservices.conversation.responder import Responder
from sockservices.text.addresses import addressText

__all__ = ["Whoami"]


class Whoami(Responder):
    r"""
    Sends the server's view of both addresses, in one line of JSON, and closes the connection. This shows address
    translation and proxies on the path, and which of several servers has accepted the connection.

    >>> from sockservices import Conversation, Environment
    >>> Whoami(Conversation(serial=7, environment=Environment(server="here"))).greeting()
    b'{"peer": null, "host": null, "transport": "tcp", "serial": 7, "server": "here"}\n'
    """

    name = "whoami"
    port = 8099

    def greeting(self) -> bytes:
        """
        Return a JSON object and LF, and finish.

        Its fields are peer and host (text, or null if there is no address), transport, serial number and server name.
        """
        self.finished = True
        conversation = self.conversation
        line = json.dumps(
            {
                "peer": addressText(conversation.peer),
                "host": addressText(conversation.host),
                "transport": conversation.transport,
                "serial": conversation.serial,
                "server": conversation.server,
            }
        )
        return line.encode("ascii") + b"\n"

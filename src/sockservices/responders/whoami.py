"""
The service that says who is seen to ask.
"""

from __future__ import annotations

import json

from sockservices.conversation.responder import Responder
from sockservices.text.addresses import addressText

__all__ = ["Whoami"]


class Whoami(Responder):
    r"""
    Says how the peer looks from here, in one line of JSON, and hangs up.

    >>> from sockservices import Conversation, Environment
    >>> Whoami(Conversation(serial=7, environment=Environment(server="here"))).greeting()
    b'{"peer": null, "host": null, "transport": "tcp", "serial": 7, "server": "here"}\n'
    """

    name = "whoami"
    port = 8099

    def greeting(self) -> bytes:
        """
        An object of peer and host (as text, or null where there is none), transport, serial number, and server name.
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

"""
The log of datagrams without a reply.
"""

from __future__ import annotations

import json

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Policy
from sockservices.monitoring.log import jsonLine
from sockservices.responders import Echo, Whoami
from sockservices.testing import converse

INTERVAL = "(at most one such line in 10 s)"


class DropLogTests(SynchronousTestCase):
    """
    Tests for L{sockservices.monitoring.drop_log}.
    """

    def test_reasonsThatAnOptionChanges(self) -> None:
        """
        If an option decides that a datagram gets no reply, the line names the option. In JSON, C{reason} is the
        outcome's word; C{seconds} is a field of conversations only.
        """
        for responder, policy, reason, explanation in (
            (
                Whoami,
                Policy(),
                "withheld",
                "the reply is longer than the request allows; --udp-rfc-size allows any length",
            ),
            (Echo, Policy(udpMax=2), "too long", "the datagram is longer than --udp-max"),
        ):
            with capturedLogs() as events:
                self.assertIsNone(converse(responder, transport="udp", policy=policy).say(b"short"))
            (event,) = events
            text = f"{responder.name} udp 127.0.0.1:40000 not answered: {reason}, {explanation} {INTERVAL}"
            self.assertEqual(formatEvent(event), text)
            fields = json.loads(jsonLine(event))
            self.assertEqual((fields["reason"], "seconds" in fields), (reason, False))

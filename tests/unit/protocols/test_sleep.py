"""
C{Conversation.sleep}, and peers that leave while a reply is awaited.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Outcome, Responder, streamService
from sockservices.conversation.visit import Visit
from sockservices.testing import converse
from tests.support.loop import LoopCase
from tests.support.sockets import closeWithReset


class Slow(Responder):
    """
    Replies after a fifth of a second.
    """

    name = "slow"

    async def answer(self, message: bytes) -> bytes:  # type: ignore[override]
        """
        Sleep, and reply in upper case.
        """
        await self.conversation.sleep(0.2)
        return message.upper()


class SleepTests(SynchronousTestCase):
    """
    C{await conversation.sleep(seconds)}.
    """

    def test_clockOfTheServer(self) -> None:
        """
        On each transport, the clock of the server measures the time.
        """
        for transport, expected in {"tcp": b"HI~", "unix": b"HI~", "udp": [b"HI~"], "unixgram": [b"HI~"]}.items():
            peer: Any = converse(Slow, transport=transport)  # type: ignore[call-overload]
            self.assertFalse(peer.say(b"hi~"))
            peer.wait(0.19)
            self.assertFalse(peer.heard)
            peer.wait(0.02)
            self.assertEqual(peer.heard, expected)

    def test_withoutServer(self) -> None:
        """
        In a conversation without a server, no time passes.
        """
        answer: Any = Slow(Conversation()).answer(b"hi~")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(answer)), b"HI~")

    def test_resetCancelsTheSleep(self) -> None:
        """
        A peer that resets the connection leaves no timer.
        """
        peer = converse(Slow)
        peer.say(b"hi~")
        peer.reset()
        self.assertEqual(peer.clock.getDelayedCalls(), [])
        self.assertIs(peer.outcome, Outcome.RESET)


class VanishingPeerTests(LoopCase):
    """
    Peers that leave while a reply is awaited, over real sockets.
    """

    def setUp(self) -> None:
        """
        Serve a responder whose replies do not come.
        """
        super().setUp()
        self.visits: list[Visit] = []
        self.cancelled: list[Any] = []
        self.replies: list[Deferred[bytes]] = []

        def answer(_: Any, message: bytes) -> Deferred[bytes]:
            self.replies.append(Deferred(self.cancelled.append))
            return self.replies[-1]

        self.responder: Any = type("Awaiting", (Responder,), {"answer": answer})

    def serve(self, endpoint: str) -> socket.socket:
        """
        Serve, and send a request.

        @return: the client.
        """
        service = streamService(endpoint, self.responder, reactor=self.reactor, record=self.visits.append)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        assert service.port is not None
        client = self.connect(service.port.getHost())
        client.sendall(b"hello")
        self.until(lambda: self.replies)
        return client

    def test_reset(self) -> None:
        """
        A reset cancels the reply, though nothing is read while the reply is awaited, and however much waits to be read.
        """
        client = self.serve("tcp:0")
        client.settimeout(0)
        sent = 0
        try:
            while True:
                sent += client.send(bytes(65536))
                self.turn()
        except BlockingIOError:
            self.assertGreater(sent, 65536)
        closeWithReset(client)
        self.until(lambda: self.visits)
        self.assertEqual((self.cancelled, self.visits[0].outcome), (self.replies, Outcome.RESET))
        self.assertEqual(self.visits[0].received, 5)

    def test_unixPeerThatHasNotRead(self) -> None:
        """
        A Unix peer that closes without reading a part of its reply resets the connection, and cancels the next reply.
        """
        client = self.serve(f"unix:{self.folder}/socket")
        client.sendall(b"more")
        self.replies[0].callback(b"reply")
        self.until(lambda: len(self.replies) == 2)
        client.close()
        self.until(lambda: self.visits)
        self.assertEqual((self.cancelled, self.visits[0].outcome), (self.replies[1:], Outcome.RESET))

    def test_halfClose(self) -> None:
        """
        A FIN cancels nothing: the peer may wait for the reply.
        """
        client = self.serve("tcp:0")
        client.shutdown(socket.SHUT_WR)
        self.turn(5)
        self.replies[0].callback(b"reply")
        self.assertEqual(self.receive(client, 100), b"reply")
        self.until(lambda: self.visits)
        self.assertEqual((self.cancelled, self.visits[0].outcome), ([], Outcome.DONE))

"""
What a message costs with a coroutine, in calls.
"""

from __future__ import annotations

from sockservices import RemotePeer, streamService
from tests.integration.test_cost import POLICY, Calls
from tests.support.loop import LoopCase


async def echo(peer: RemotePeer) -> None:
    """
    Send back what comes.
    """
    while data := await peer.receive():
        await peer.send(data)


class CoroutineCostTests(LoopCase):
    """
    The number of calls for each message. L{tests.integration.test_cost} has that of a responder.
    """

    def test_message(self) -> None:
        """
        A small message takes one C{recv} and one C{send}, as with a responder, and no timer.
        """
        service = streamService("tcp:0", echo, reactor=self.reactor, policy=POLICY, record=lambda visit: None)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        assert service.port is not None
        clients = [self.connect(service.port.getHost()) for _ in range(20)]
        for client in clients:
            client.sendall(b"first")
            self.receive(client, 5)
        timers = len(self.reactor.getDelayedCalls())
        for client in clients:
            client.sendall(b"hello")
        with Calls() as calls:
            self.turn()
        self.assertEqual([self.receive(client, 5) for client in clients], [b"hello"] * 20)
        self.assertEqual((calls.kernel["recv"], calls.kernel["send"]), (20, 20))
        self.assertLessEqual(calls.python, 20 * 35)
        self.assertEqual(len(self.reactor.getDelayedCalls()), timers)

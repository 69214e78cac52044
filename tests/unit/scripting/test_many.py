"""
Many coroutines at once, and peers that vanish, over real sockets.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher

from sockservices import Outcome, Policy, RemotePeer, streamService
from sockservices.conversation.visit import Visit
from tests.support.loop import LoopCase, descriptors
from tests.support.sockets import closeWithReset

#: The most bytes of memory that a conversation may take.
MAX_MEMORY = 65536

#: The number of conversations at once.
CONVERSATIONS = 1000

#: What a coroutine may wait for. Each one waits for ever, or for a long time, while the peer sends nothing and reads
#: nothing.
WAITS: dict[str, Callable[[RemotePeer, Any], Any]] = {
    "receive": lambda peer, reactor: peer.receive(),
    "receive with a timeout": lambda peer, reactor: peer.receive(timeout=3600),
    "receiveExactly": lambda peer, reactor: peer.receiveExactly(1000),
    "receiveUntil": lambda peer, reactor: peer.receiveUntil(b";"),
    "receiveLine": lambda peer, reactor: peer.receiveLine(),
    "expect": lambda peer, reactor: peer.expect(bytes(1000)),
    "expectMatch": lambda peer, reactor: peer.expectMatch(rb"(?s).*;"),
    "expectEnd": lambda peer, reactor: peer.expectEnd(),
    "sleep": lambda peer, reactor: peer.sleep(3600),
    "conversation.sleep": lambda peer, reactor: peer.conversation.sleep(3600),
    "send": lambda peer, reactor: peer.send(bytes(1 << 23)),
    "a Deferred": lambda peer, reactor: Deferred(),
    "a timer": lambda peer, reactor: deferLater(reactor, 3600),
}


class CoroutineCase(LoopCase):
    """
    A test with a listener of one coroutine.
    """

    def setUp(self) -> None:
        """
        Record the visits, and the log.
        """
        super().setUp()
        self.visits: list[Visit] = []
        self.events: list[Any] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def serve(self, coroutine: Any, endpoint: str = "tcp:0", **limits: Any) -> Any:
        """
        Serve, until the test calls C{stopService}.
        """
        policy = Policy(maxConnections=2 * CONVERSATIONS, **limits)
        service = streamService(endpoint, coroutine, reactor=self.reactor, policy=policy, record=self.visits.append)
        service.startService()
        return service


class ManyTests(CoroutineCase):
    """
    A thousand conversations at once.
    """

    def test_thousandConversations(self) -> None:
        """
        1,000 conversations at once, each with three exchanges and a sleep of 0.1 s, are all right. Each takes less than
        64 KiB of memory. They leave nothing.
        """
        wokenUp = 0

        async def script(peer: RemotePeer) -> None:
            nonlocal wokenUp
            await peer.send(b"220 ready\r\n")
            for command in (b"HELO", b"MAIL", b"QUIT"):
                await peer.expect(command + b"\r\n")
                await peer.sleep(0.1 if command == b"MAIL" else 0)
                await peer.send(b"250 " + command + b"\r\n")
            wokenUp += 1

        before = descriptors()
        service = self.serve(script)
        address = service.port.getHost()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        clients = []
        for _ in range(CONVERSATIONS):
            clients.append(self.connect(address))
            self.turn()
        for client in clients:
            self.assertEqual(self.receive(client, 11), b"220 ready\r\n")
        self.assertEqual(service.connections, CONVERSATIONS)
        memory, _ = tracemalloc.get_traced_memory()
        self.assertLess(memory / CONVERSATIONS, MAX_MEMORY)
        for command in (b"HELO", b"MAIL", b"QUIT"):
            for client in clients:
                client.sendall(command + b"\r\n")
            for client in clients:
                self.assertEqual(self.receive(client, 10), b"250 " + command + b"\r\n")
        for client in clients:
            client.close()
        self.until(lambda: len(self.visits) == CONVERSATIONS)
        self.assertEqual({visit.outcome for visit in self.visits}, {Outcome.FINISHED})
        self.assertEqual({(visit.received, visit.sent) for visit in self.visits}, {(18, 41)})
        self.assertEqual(wokenUp, CONVERSATIONS)
        self.wait(service.stopService())
        self.assertQuiet()
        clients.clear()
        self.assertEqual(descriptors(), before)


class VanishingPeerTests(CoroutineCase):
    """
    Peers that leave while a coroutine waits.
    """

    @settings(deadline=None, max_examples=60)
    @given(
        waits=st.lists(st.sampled_from(sorted(WAITS)), min_size=1, max_size=3),
        reset=st.booleans(),
        unix=st.booleans(),
        request=st.binary(max_size=20),
        swallow=st.booleans(),
    )
    def test_everyWait(self, waits: list[str], reset: bool, unix: bool, request: bytes, swallow: bool) -> None:
        """
        A peer that vanishes while a coroutine waits, for whatever that is, and whatever the coroutine waits for after
        its cancellation, leaves no coroutine, timer, descriptor or error. A FIN ends what waits for the peer; the stop
        of the server ends the rest.
        """
        running = 0

        async def script(peer: RemotePeer) -> None:
            nonlocal running
            running += 1
            try:
                for wait in waits:
                    try:
                        await WAITS[wait](peer, self.reactor)
                    except BaseException:
                        if not swallow:
                            raise
            finally:
                running -= 1

        self.visits.clear()
        self.events.clear()
        before = descriptors()
        (self.folder / "socket").unlink(missing_ok=True)
        service = self.serve(script, f"unix:{self.folder}/socket" if unix else "tcp:0", drain=0)
        client = self.connect(service.port.getHost())
        if request:
            client.sendall(request)
        self.until(lambda: running or self.visits)
        if reset and not unix:
            closeWithReset(client)
            self.until(lambda: self.visits)
            self.assertEqual(running, 0)
        else:
            client.close()
            self.turn(3)
        self.wait(service.stopService())
        self.turn(2)
        self.assertEqual((running, len(self.visits)), (0, 1))
        self.assertQuiet()
        gc.collect()
        errors = [event for event in self.events if "log_failure" in event or event["log_level"].name == "critical"]
        self.assertEqual(errors, [])
        self.assertEqual(descriptors(), before)

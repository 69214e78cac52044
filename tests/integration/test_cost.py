"""
What a message costs, in calls: they are the same on every machine, slow or busy.
"""

from __future__ import annotations

import select
import socket
import sys
from collections import Counter
from types import FrameType
from typing import Any
from unittest import skipUnless

from sockservices import Policy, datagramService, streamService
from sockservices.responders import Echo, Welcome
from tests.support.loop import LoopCase

#: Every limit on, those for loopback too.
POLICY = Policy(maxConnections=1000, maxPerSource=1000, maxRate=10**6, udpRate=10**6)


class Calls:
    """
    Counts calls while it is entered.

    @ivar python: of functions written in Python.
    @ivar kernel: of methods of sockets and epoll sets that are system calls, by name.
    """

    def __init__(self) -> None:
        self.python = 0
        self.kernel: Counter[str] = Counter()

    def _note(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            self.python += 1
        elif event == "c_call" and called.__name__ not in ("fileno", "gettimeout"):
            self.kernel[called.__name__] += isinstance(getattr(called, "__self__", None), (socket.socket, select.epoll))

    def __enter__(self) -> Calls:
        """
        Begin.
        """
        self._before = sys.getprofile()
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """
        End.
        """
        sys.setprofile(self._before)


@skipUnless(hasattr(select, "epoll"), "it has Twisted's own transports here")
class CostTests(LoopCase):
    """
    The number of calls for each message, conversation and datagram.
    """

    def serve(self, responder: Any, datagrams: bool = False) -> Any:
        """
        Serve.

        @return: the service.
        """
        make: Any = datagramService if datagrams else streamService
        record: Any = None if datagrams else lambda visit: None
        service = make("udp:0" if datagrams else "tcp:0", responder, reactor=self.reactor, policy=POLICY, record=record)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        return service

    def test_message(self) -> None:
        """
        A small message takes one C{recv} and one C{send}. Connections that are ready together share the other calls.
        """
        address = self.serve(Echo).port.getHost()
        clients = [self.connect(address) for _ in range(20)]
        for client in clients:
            client.sendall(b"first")
            self.receive(client, 5)
        for client in clients:
            client.sendall(b"words")
        with Calls() as calls:
            self.turn()
        self.assertEqual([self.receive(client, 5) for client in clients], [b"words"] * 20)
        self.assertEqual((calls.kernel["recv"], calls.kernel["send"]), (20, 20))
        self.assertLessEqual(calls.kernel.total(), 40 + 3, calls.kernel)
        self.assertLessEqual(calls.python, 20 * 7 + 40)

    def test_conversation(self) -> None:
        """
        A short conversation, without its log line, takes a limited number of calls.
        """
        service = self.serve(Welcome)
        address = service.port.getHost()
        clients = [self.connect(address) for _ in range(20)]
        for client in clients:
            client.sendall(b"1")
        with Calls() as served:
            self.turn(2)
        for client in clients:
            client.close()
        with Calls() as closed:
            self.turn(2)
        kernel = served.kernel + closed.kernel
        self.assertEqual((kernel["send"], kernel["shutdown"], kernel["close"]), (20, 20, 20))
        self.assertLessEqual(kernel.total(), 20 * 9 + 15, kernel)
        self.assertLessEqual(served.python + closed.python, 20 * 130)

    def test_datagram(self) -> None:
        """
        The datagrams that arrive together from one peer are received by one call and answered by one.
        """
        address = self.serve(Echo, datagrams=True).port.getHost()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((address.host, address.port))
            client.settimeout(5)
            client.send(b"first")
            self.turn()
            client.recv(10)
            for _ in range(50):
                client.send(b"words")
            with Calls() as calls:
                self.turn()
            for _ in range(50):
                self.assertEqual(client.recv(10), b"words")
        self.assertLessEqual(calls.kernel["sendmsg"] + calls.kernel["sendto"], 1, calls.kernel)
        self.assertLessEqual(calls.kernel.total(), 4, calls.kernel)
        self.assertLessEqual(calls.python, 50 * 12 + 60)

"""
Sockets that several processes serve.
"""

from __future__ import annotations

import errno
import os
import resource
import socket

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding
from sockservices.transports.bound_socket import BoundSocket
from sockservices.transports.shared_sockets import openReusePort
from sockservices.transports.sockets import OpenError, openSockets
from tests.support.loop import LoopCase, descriptors


class ReusePortTests(LoopCase):
    """
    Tests of L{openReusePort}.
    """

    def open(self, interface: str, count: int = 3) -> list[BoundSocket]:
        """
        Open so many sockets at one address.
        """
        (bound,) = openSockets(InetBinding(Transport.UDP, 0, interface))
        self.addCleanup(bound.close)
        others = openReusePort(bound, count - 1)
        for other in others:
            self.addCleanup(other.close)
        return [bound, *others]

    def test_sources(self) -> None:
        """
        The sockets have one address. Each gets datagrams, and all those of a source.
        """
        for interface in ("127.0.0.1", "::1"):
            with self.subTest(interface=interface):
                opened = self.open(interface)
                (address,) = {each.socket.getsockname() for each in opened}
                for _ in range(64):
                    with socket.socket(opened[0].family, socket.SOCK_DGRAM) as client:
                        client.connect(address)
                        for _ in range(3):
                            client.send(b"a")
                received = [self.sources(each.socket) for each in opened]
                self.assertTrue(all(received), received)
                self.assertEqual(sum(map(len, received)), 192)
                self.assertEqual(sum(len(set(each)) for each in received), 64)

    def sources(self, bound: socket.socket) -> list[object]:
        """
        The sources of the datagrams in the queue of a socket.
        """
        found: list[object] = []
        while True:
            try:
                found.append(bound.recvfrom(10)[1])
            except BlockingIOError:
                return found

    def test_options(self) -> None:
        """
        All sockets have the options of the first one.
        """
        for interface, options in (
            ("127.0.0.1", [(socket.SOL_SOCKET, socket.SO_RCVBUF)]),
            ("::", [(socket.SOL_SOCKET, socket.SO_RCVBUF), (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)]),
        ):
            for option in options:
                with self.subTest(interface=interface, option=option):
                    opened = self.open(interface)
                    self.assertEqual(len({each.socket.getsockopt(*option) for each in opened}), 1)
                    self.assertEqual({each.socket.getblocking() for each in opened}, {False})

    def test_anotherServer(self) -> None:
        """
        Another server cannot open the port.
        """
        port = self.open("127.0.0.1")[0].socket.getsockname()[1]
        with self.assertRaisesRegex(OpenError, "Address already in use"):
            openSockets(InetBinding(Transport.UDP, port))

    def test_failure(self) -> None:
        """
        If a socket cannot be opened, none of them stays open.
        """
        (bound,) = self.open("127.0.0.1", 1)
        before, limits = descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, limits[1]))
        try:
            with self.assertRaises(OSError) as raised:
                openReusePort(bound, highest + 2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.assertEqual(raised.exception.errno, errno.EMFILE)
        self.assertEqual(descriptors(), before)

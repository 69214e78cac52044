"""
Receiving many datagrams with one system call.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.transports.pktinfo import IP_PKTINFO
from sockservices.transports.recvmmsg import MAX_BATCH, BatchReceiver, controlMessages, recvmmsg

#: Not in the socket module.
SO_TIMESTAMPNS = 35


def bound(family: int, host: str, both: bool = False) -> socket.socket:
    """
    A UDP socket on any port of a host.

    @param both: whether an IPv6 socket receives IPv4 datagrams as well.
    """
    opened = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
    opened.bind((host, 0))
    return opened


class ReceiverTests(SynchronousTestCase):
    """
    Tests for L{BatchReceiver}.
    """

    if recvmmsg is None:
        skip = "this system has no recvmmsg()"

    def sockets(self, host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """
        Make a receiving socket, and one that is connected to it.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server, client = bound(family, host), bound(family, host)
        self.addCleanup(server.close)
        self.addCleanup(client.close)
        server.settimeout(5)
        client.connect(server.getsockname())
        return server, client

    def test_nothing(self) -> None:
        """
        An empty queue raises L{BlockingIOError}, on a blocking socket as well.
        """
        server, _ = self.sockets()
        server.setblocking(True)
        receiver = BatchReceiver(server.family, 100)
        for _ in range(2):
            self.assertRaises(BlockingIOError, receiver.receive, server.fileno(), MAX_BATCH)

    def test_notASocket(self) -> None:
        """
        The kernel's error is raised.
        """
        self.assertRaises(OSError, BatchReceiver(socket.AF_INET, 100).receive, -1, MAX_BATCH)

    def test_inOrder(self) -> None:
        """
        Datagrams keep their order. A call receives at most its limit, and at most 64.
        """
        server, client = self.sockets()
        receiver = BatchReceiver(server.family, 100)
        sent = [b"%d" % number for number in range(MAX_BATCH + 10)]
        for datagram in sent:
            client.send(datagram)
        first = receiver.receive(server.fileno(), 3)
        second = receiver.receive(server.fileno(), 10_000)
        third = receiver.receive(server.fileno(), MAX_BATCH)
        self.assertEqual([len(batch) for batch in (first, second, third)], [3, MAX_BATCH, 7])
        self.assertEqual([datagram for datagram, _, _ in first + second + third], sent)

    def test_cut(self) -> None:
        """
        A datagram that is too long is cut, and its rest appears in no other datagram.
        """
        server, client = self.sockets()
        receiver = BatchReceiver(server.family, 4)
        for datagram in (b"12345678", b"", b"1234", b"a"):
            client.send(datagram)
        self.assertEqual(
            [each[0] for each in receiver.receive(server.fileno(), MAX_BATCH)], [b"1234", b"", b"1234", b"a"]
        )
        client.send(b"z")
        self.assertEqual([each[0] for each in receiver.receive(server.fileno(), MAX_BATCH)], [b"z"])

    def test_longest(self) -> None:
        """
        The longest datagrams are received whole.
        """
        for host, longest in (("127.0.0.1", 65507), ("::1", 65527)):
            server, client = self.sockets(host)
            datagram = os.urandom(longest)
            client.send(datagram)
            ((received, _, _),) = BatchReceiver(server.family, 65528).receive(server.fileno(), MAX_BATCH)
            self.assertTrue(received == datagram)

    def test_names(self) -> None:
        """
        The source is a struct sockaddr of the socket's family.
        """
        server, client = self.sockets()
        client.send(b"x")
        ((_, name, _),) = BatchReceiver(server.family, 9).receive(server.fileno(), MAX_BATCH)
        host, port = client.getsockname()
        self.assertEqual((len(name), name[2:4], name[4:8]), (16, port.to_bytes(2, "big"), socket.inet_aton(host)))

        server, client = self.sockets("::1")
        client.send(b"x")
        ((_, name, _),) = BatchReceiver(server.family, 9).receive(server.fileno(), MAX_BATCH)
        host, port = client.getsockname()[:2]
        self.assertEqual((len(name), name[2:4]), (28, port.to_bytes(2, "big")))
        self.assertEqual((name[8:24], name[24:]), (socket.inet_pton(socket.AF_INET6, host), bytes(4)))

    def test_mappedNames(self) -> None:
        """
        On a socket for both families an IPv4 source is an IPv4-mapped sockaddr_in6.
        """
        server = bound(socket.AF_INET6, "::", both=True)
        self.addCleanup(server.close)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", ("127.0.0.1", server.getsockname()[1]))
        ((_, name, _),) = BatchReceiver(server.family, 9).receive(server.fileno(), MAX_BATCH)
        self.assertEqual(socket.inet_ntop(socket.AF_INET6, name[8:24]), "::ffff:127.0.0.1")

    def test_controlMessages(self) -> None:
        """
        Control messages are those that C{socket.recvmsg} has, and none where none were asked for: for datagrams over
        IPv4, IPv6, and IPv4 on a socket for both.
        """
        for family, host, target, kind in (
            (socket.AF_INET, "0.0.0.0", "127.0.0.2", socket.AF_INET),
            (socket.AF_INET6, "::", "::1", socket.AF_INET6),
            (socket.AF_INET6, "::", "127.0.0.3", socket.AF_INET),
        ):
            server = bound(family, host, both=True)
            self.addCleanup(server.close)
            receiver = BatchReceiver(family, 9)
            with socket.socket(kind, socket.SOCK_DGRAM) as client:
                client.connect((target, server.getsockname()[1]))
                client.send(b"x")
                ((_, _, control),) = receiver.receive(server.fileno(), MAX_BATCH)
                self.assertEqual((control, controlMessages(control)), (b"", []))
                server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
                if family == socket.AF_INET6:
                    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                for _ in range(3):
                    client.send(b"x")
                _, expected, _, _ = server.recvmsg(9, 1000)
                for _, _, control in receiver.receive(server.fileno(), MAX_BATCH):
                    self.assertEqual(controlMessages(control), expected)
                self.assertEqual(len(expected), 1 + (kind != family))

    def test_time(self) -> None:
        """
        Control messages of both families and the time together are not cut.
        """
        server = bound(socket.AF_INET6, "::", both=True)
        self.addCleanup(server.close)
        server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for _ in range(2):
                client.sendto(b"x", ("127.0.0.1", server.getsockname()[1]))
        _, expected, _, _ = server.recvmsg(9, 1000)
        ((_, _, control),) = BatchReceiver(server.family, 9).receive(server.fileno(), MAX_BATCH)
        self.assertEqual(self.sizes(controlMessages(control)), self.sizes(expected))

    def sizes(self, messages: Any) -> list[tuple[int, int, int]]:
        """
        Control messages without their bytes: the times differ.
        """
        return [(level, kind, len(data)) for level, kind, data in messages]

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_anyBytes(self, control: bytes) -> None:
        """
        Any bytes can be parsed, and yield no more bytes than they have.
        """
        self.assertLessEqual(sum(len(data) for _, _, data in controlMessages(control)), len(control))

    def test_padding(self) -> None:
        """
        The padding between control messages is no part of them.
        """
        server = bound(socket.AF_INET, "0.0.0.0")
        self.addCleanup(server.close)
        server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        server.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", server.getsockname()[1]))
            client.send(b"x")
            client.send(b"x")
        _, expected, _, _ = server.recvmsg(9, 1000)
        ((_, _, control),) = BatchReceiver(server.family, 9).receive(server.fileno(), MAX_BATCH)
        self.assertEqual(controlMessages(control), expected)
        self.assertEqual(sorted(len(data) for _, _, data in expected), [1, 12])

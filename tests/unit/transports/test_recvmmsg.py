"""
Receiving many datagrams with one system call.
"""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.transports.mmsghdr import MAX_BATCH, NAME_SIZES, controlMessages
from sockservices.transports.pktinfo import IP_PKTINFO
from sockservices.transports.recvmmsg import BatchReceiver, recvmmsg
from tests.support.datagram_ports import udpSocket

#: Not in the socket module.
SO_TIMESTAMPNS = 35

#: Socket options that add a control message to each datagram.
PKTINFO4 = (socket.IPPROTO_IP, IP_PKTINFO)
PKTINFO6 = (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)
TOS = (socket.IPPROTO_IP, socket.IP_RECVTOS)
TIME = (socket.SOL_SOCKET, SO_TIMESTAMPNS)


@pytest.mark.skipif(recvmmsg is None, reason="this system has no recvmmsg()")
class ReceiverTests(SynchronousTestCase):
    """
    Tests for L{BatchReceiver}.
    """

    def sockets(self, interface: str = "127.0.0.1", host: str = "") -> tuple[socket.socket, socket.socket]:
        """
        Make a receiving socket, and one that is connected to it.

        @param interface: the address of the receiving socket; over C{::} it receives IPv4 datagrams as well.
        @param host: the address that the other one sends to, by default the same.
        """
        host = host or interface
        server = udpSocket(interface, dualStack=interface == "::")
        client = udpSocket("::" if ":" in host else "0.0.0.0")
        self.addCleanup(server.close)
        self.addCleanup(client.close)
        client.connect((host, server.getsockname()[1]))
        return server, client

    def receive(self, server: socket.socket, size: int = 100) -> list[tuple[bytes, bytes, bytes]]:
        """
        Receive a batch of datagrams of a maximum size.

        @return: the bytes, the name and the control messages of each.
        """
        batch = BatchReceiver(server.family, size).receive(server.fileno(), MAX_BATCH)
        nameSize = NAME_SIZES[server.family]
        return [(datagram, source[:nameSize], source[nameSize:]) for datagram, source in batch]

    def test_errors(self) -> None:
        """
        An empty queue raises L{BlockingIOError}, on a blocking socket as well. Other errors of the kernel are raised.
        """
        server, _ = self.sockets()
        server.setblocking(True)
        receiver = BatchReceiver(server.family, 100)
        for _ in range(2):
            self.assertRaises(BlockingIOError, receiver.receive, server.fileno(), MAX_BATCH)
        self.assertRaises(OSError, receiver.receive, -1, MAX_BATCH)

    def test_inOrder(self) -> None:
        """
        Datagrams are received in their order. A call receives at most its limit, and at most 64.
        """
        server, client = self.sockets()
        receiver = BatchReceiver(server.family, 100)
        sent = [b"%d" % number for number in range(MAX_BATCH + 10)]
        for datagram in sent:
            client.send(datagram)
        batches = [receiver.receive(server.fileno(), limit) for limit in (3, 10_000, MAX_BATCH)]
        self.assertEqual([len(batch) for batch in batches], [3, MAX_BATCH, 7])
        self.assertEqual([datagram for batch in batches for datagram, _ in batch], sent)

    def test_truncated(self) -> None:
        """
        A datagram that is too long is truncated, and its rest appears in no other datagram.
        """
        server, client = self.sockets()
        receiver = BatchReceiver(server.family, 4)
        for sent, expected in (((b"12345678", b"", b"1234", b"a"), [b"1234", b"", b"1234", b"a"]), ((b"z",), [b"z"])):
            for datagram in sent:
                client.send(datagram)
            received = receiver.receive(server.fileno(), MAX_BATCH)
            self.assertEqual([datagram for datagram, _ in received], expected)

    def test_longest(self) -> None:
        """
        The longest datagrams are received whole.
        """
        for host, longest in (("127.0.0.1", 65507), ("::1", 65527)):
            server, client = self.sockets(host)
            sent = os.urandom(longest)
            client.send(sent)
            ((datagram, _, _),) = self.receive(server, 65528)
            self.assertTrue(datagram == sent)

    def test_source(self) -> None:
        """
        The source is a struct sockaddr of the socket's family; on a dual-stack socket an IPv4 source is IPv4-mapped.
        """
        for interface, host, size, address in (
            ("127.0.0.1", "127.0.0.1", 16, socket.inet_aton("127.0.0.1") + bytes(8)),
            ("::1", "::1", 28, bytes(4) + socket.inet_pton(socket.AF_INET6, "::1") + bytes(4)),
            ("::", "127.0.0.1", 28, bytes(4) + socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1") + bytes(4)),
        ):
            server, client = self.sockets(interface, host)
            client.send(b"x")
            ((_, name, _),) = self.receive(server)
            port = client.getsockname()[1].to_bytes(2, "big")
            self.assertEqual((len(name), name[2:4], name[4:]), (size, port, address))

    def test_controlMessages(self) -> None:
        """
        Control messages are those that C{socket.recvmsg} returns, without padding, and none if no option asks for them:
        for datagrams over IPv4, IPv6, and IPv4 on a dual-stack socket. They are not cut if there are several.
        """
        table: list[tuple[str, str, list[tuple[int, int]], list[int]]] = [
            ("0.0.0.0", "127.0.0.2", [PKTINFO4], [12]),
            ("0.0.0.0", "127.0.0.2", [PKTINFO4, TOS], [12, 1]),
            ("::", "::1", [PKTINFO4, PKTINFO6], [20]),
            ("::", "127.0.0.3", [PKTINFO4, PKTINFO6], [12, 20]),
            ("::", "127.0.0.3", [PKTINFO4, PKTINFO6, TIME], [12, 16, 20]),
        ]
        for interface, host, options, sizes in table:
            server, client = self.sockets(interface, host)
            client.send(b"x")
            ((_, _, control),) = self.receive(server)
            self.assertEqual((control, controlMessages(control)), (b"", []))
            for option in options:
                server.setsockopt(*option, 1)
            for _ in range(3):
                client.send(b"x")
            _, expected, _, _ = server.recvmsg(100, 1000)
            for _, _, control in self.receive(server):
                self.assertEqual(self.withoutTime(controlMessages(control)), self.withoutTime(expected))
            self.assertEqual(sorted(len(data) for _, _, data in expected), sorted(sizes))

    def withoutTime(self, messages: list[tuple[int, int, bytes]]) -> list[tuple[int, int, Any]]:
        """
        Control messages with only the size of a timestamp, which differs for each datagram.
        """
        return [(level, kind, len(data) if (level, kind) == TIME else data) for level, kind, data in messages]

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_anyControlMessages(self, control: bytes) -> None:
        """
        Any bytes can be parsed, and yield no more bytes than they have.
        """
        self.assertLessEqual(sum(len(data) for _, _, data in controlMessages(control)), len(control))

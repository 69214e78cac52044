"""
Many datagrams by one call.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.transports.datagram_port import IP_PKTINFO
from sockservices.transports.recvmmsg import MAX_BATCH, BatchReceiver, controlMessages, recvmmsg

#: Not in the socket module.
SO_TIMESTAMPNS = 35


def bound(family: int, host: str, both: bool = False) -> socket.socket:
    """
    A socket on any port of a host.

    @param both: for IPv4 too.
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
        One to receive by, and one to send to it.
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
        When nothing has come it does not wait, even on a socket that would.
        """
        server, _ = self.sockets()
        server.setblocking(True)
        receiver = BatchReceiver(server.family, 100)
        for _ in range(2):
            self.assertRaises(BlockingIOError, receiver.receive, server.fileno(), MAX_BATCH)

    def test_notASocket(self) -> None:
        """
        What the kernel says is raised.
        """
        self.assertRaises(OSError, BatchReceiver(socket.AF_INET, 100).receive, -1, MAX_BATCH)

    def test_inOrder(self) -> None:
        """
        Datagrams come in their order, as many as are asked for and never more than 64; the rest waits.
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
        Of a longer datagram the first bytes are kept, and nothing of it is seen in its neighbours, then or later.
        """
        server, client = self.sockets()
        receiver = BatchReceiver(server.family, 4)
        for datagram in (b"12345678", b"", b"1234", b"a"):
            client.send(datagram)
        self.assertEqual(
            [came[0] for came in receiver.receive(server.fileno(), MAX_BATCH)], [b"1234", b"", b"1234", b"a"]
        )
        client.send(b"z")
        self.assertEqual([came[0] for came in receiver.receive(server.fileno(), MAX_BATCH)], [b"z"])

    def test_longest(self) -> None:
        """
        The longest datagrams come whole.
        """
        for host, longest in (("127.0.0.1", 65507), ("::1", 65527)):
            server, client = self.sockets(host)
            datagram = os.urandom(longest)
            client.send(datagram)
            ((received, _, _),) = BatchReceiver(server.family, 65528).receive(server.fileno(), MAX_BATCH)
            self.assertTrue(received == datagram)

    def test_names(self) -> None:
        """
        Each datagram has the name of its source, as the kernel writes it, also when the one before had a shorter one.
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
        A source over IPv4 has a name of IPv6 on a socket for both.
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
        None is cut where the owner of a socket for both families had asked for the time as well.
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
        Control messages but for their bytes: the times differ.
        """
        return [(level, kind, len(data)) for level, kind, data in messages]

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_anyBytes(self, control: bytes) -> None:
        """
        Whatever the bytes are, they are read to an end, and nothing is made up.
        """
        self.assertLessEqual(sum(len(data) for _, _, data in controlMessages(control)), len(control))

    def test_padding(self) -> None:
        """
        What lies between control messages for their alignment is no part of them.
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

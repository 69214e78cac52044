"""
Sending many datagrams with one system call.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

import pytest
from twisted.trial.unittest import SynchronousTestCase

from sockservices.transports.mmsghdr import MAX_BATCH, packControl
from sockservices.transports.pktinfo import IP_PKTINFO
from sockservices.transports.sendmmsg import BatchSender, sendmmsg
from tests.support.datagram_ports import udpSocket


def name(address: tuple[str, int]) -> bytes:
    """
    Make a struct sockaddr of an address.
    """
    host, port = address[:2]
    if ":" in host:
        return struct.pack(
            "=H2s4x16s4x", socket.AF_INET6, port.to_bytes(2, "big"), socket.inet_pton(socket.AF_INET6, host)
        )
    return struct.pack("=H2s4s8x", socket.AF_INET, port.to_bytes(2, "big"), socket.inet_aton(host))


@pytest.mark.skipif(sendmmsg is None, reason="this system has no sendmmsg()")
class SenderTests(SynchronousTestCase):
    """
    Tests for L{BatchSender}.
    """

    def open(self, host: str = "127.0.0.1") -> socket.socket:
        """
        Open a socket.
        """
        opened = udpSocket(host)
        self.addCleanup(opened.close)
        return opened

    def test_longest(self) -> None:
        """
        Datagrams of every size are sent whole, in order, over IPv4 and IPv6.
        """
        for host, longest in (("127.0.0.1", 65507), ("::1", 65527)):
            server, client = self.open(host), self.open(host)
            sent = [os.urandom(size) for size in (0, 1, 1500, longest, 0, 64)]
            count = len(sent)
            names = [name(client.getsockname())] * count
            self.assertEqual(BatchSender(server.family).send(server.fileno(), names, [b""] * count, sent), {})
            self.assertTrue([client.recv(70_000) for _ in sent] == sent)

    def test_destinations(self) -> None:
        """
        Each datagram of a full batch goes to its own destination.
        """
        server, clients = self.open(), [self.open() for _ in range(MAX_BATCH)]
        sender = BatchSender(server.family)
        for first in (0, 60):
            chosen = clients[first:]
            names = [name(client.getsockname()) for client in chosen]
            sent = [b"%d" % number for number in range(len(chosen))]
            self.assertEqual(sender.send(server.fileno(), names, [b""] * len(sent), sent), {})
            self.assertEqual([client.recv(10) for client in chosen], sent)

    def test_controlMessages(self) -> None:
        """
        The control messages of one datagram set its source address. They have no effect on others, in the same batch
        and in later ones.
        """
        server, client = self.open("0.0.0.0"), self.open()
        sender = BatchSender(server.family)
        pktinfo = [
            packControl(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4s", 0, socket.inet_aton(host), bytes(4)))
            for host in ("127.0.0.2", "127.0.0.3")
        ]
        for controls, sources in (
            ([pktinfo[0], b"", pktinfo[1]], ["127.0.0.2", "127.0.0.1", "127.0.0.3"]),
            ([b"", b""], ["127.0.0.1"] * 2),
        ):
            count = len(controls)
            names = [name(client.getsockname())] * count
            self.assertEqual(sender.send(server.fileno(), names, controls, [b"x"] * count), {})
            self.assertEqual([client.recvfrom(10)[1][0] for _ in range(count)], sources)

    def test_refusals(self) -> None:
        """
        The errors of refused datagrams are returned by index. All others are sent.
        """
        server, client = self.open(), self.open()
        sender = BatchSender(server.family)
        there, nowhere = name(client.getsockname()), name(("127.0.0.1", 0))
        tooLong = bytes(65508)
        for names, datagrams, expected in (
            ([there] * 4, [b"0", tooLong, tooLong, b"3"], {1: errno.EMSGSIZE, 2: errno.EMSGSIZE}),
            ([nowhere, there, nowhere], [b"0", b"1", b"2"], {0: errno.EINVAL, 2: errno.EINVAL}),
            ([nowhere], [b"0"], {0: errno.EINVAL}),
        ):
            errors = sender.send(server.fileno(), names, [b""] * len(names), datagrams)
            self.assertEqual({index: error.errno for index, error in errors.items()}, expected)
            sent = [datagram for index, datagram in enumerate(datagrams) if index not in expected]
            self.assertEqual([client.recv(10) for _ in sent], sent)
        errors = sender.send(-1, [there] * 2, [b""] * 2, [b"x"] * 2)
        self.assertEqual([error.errno for error in errors.values()], [errno.EBADF] * 2)

    def test_wrongType(self) -> None:
        """
        A datagram that is not bytes raises L{TypeError}, and none is sent.
        """
        server, client = self.open(), self.open()
        wrong: list[bytes] = [b"0", "1"]  # type: ignore[list-item]
        names = [name(client.getsockname())] * 2
        self.assertRaises(TypeError, BatchSender(server.family).send, server.fileno(), names, [b""] * 2, wrong)
        self.assertRaises(BlockingIOError, client.recv, 10)

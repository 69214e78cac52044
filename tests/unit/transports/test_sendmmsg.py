"""
Sending many datagrams with one system call.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any

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

    def refusals(
        self,
        sender: BatchSender,
        descriptor: int,
        names: list[bytes],
        datagrams: list[bytes],
        controls: list[bytes] | None = None,
    ) -> dict[int, int | None]:
        """
        Send datagrams. @return: by index, the error numbers of those that were refused.
        """
        refused: dict[int, int | None] = {}

        def record(index: int, error: OSError) -> None:
            refused[index] = error.errno

        sender.send(descriptor, names, controls or [b""] * len(names), datagrams, record)
        return refused

    def test_longest(self) -> None:
        """
        Datagrams of every size are sent whole, in order, over IPv4 and IPv6.
        """
        for host, longest in (("127.0.0.1", 65507), ("::1", 65527)):
            server, client = self.open(host), self.open(host)
            sent = [os.urandom(size) for size in (0, 1, 1500, longest, 0, 64)]
            names = [name(client.getsockname())] * len(sent)
            self.assertEqual(self.refusals(BatchSender(server.family), server.fileno(), names, sent), {})
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
            self.assertEqual(self.refusals(sender, server.fileno(), names, sent), {})
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
            ([b""], ["127.0.0.1"]),
            ([b"", b"", b""], ["127.0.0.1"] * 3),
        ):
            count = len(controls)
            names = [name(client.getsockname())] * count
            self.assertEqual(self.refusals(sender, server.fileno(), names, [b"x"] * count, controls), {})
            self.assertEqual([client.recvfrom(10)[1][0] for _ in range(count)], sources)

    def test_refusals(self) -> None:
        """
        The errors of refused datagrams are reported by index. All others are sent.
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
            self.assertEqual(self.refusals(sender, server.fileno(), names, datagrams), expected)
            sent = [datagram for index, datagram in enumerate(datagrams) if index not in expected]
            self.assertEqual([client.recv(10) for _ in sent], sent)
        self.assertEqual(self.refusals(sender, -1, [there] * 2, [b"x"] * 2), dict.fromkeys((0, 1), errno.EBADF))

    def test_reportedInOrder(self) -> None:
        """
        A refusal is reported before the next datagram is sent, so that the callback can send a datagram before it.
        """
        server, client = self.open(), self.open()
        address = client.getsockname()
        sender = BatchSender(server.family)
        names, sent = [name(address)] * 3, [b"first", bytes(65508), b"last"]
        sender.send(server.fileno(), names, [b""] * 3, sent, lambda index, error: server.sendto(b"instead", address))
        self.assertEqual([client.recv(10) for _ in range(3)], [b"first", b"instead", b"last"])

    def test_invalidDatagrams(self) -> None:
        """
        A datagram that is not bytes raises L{TypeError}, and one that is much too long L{IndexError}. None is sent.
        """
        server, client = self.open(), self.open()
        names = [name(client.getsockname())] * 2
        invalid: list[tuple[type[Exception], Any]] = [(TypeError, "1"), (IndexError, bytes(MAX_BATCH * 65536))]
        for error, datagram in invalid:
            with self.assertRaises(error):
                self.refusals(BatchSender(server.family), server.fileno(), names, [b"0", datagram])
        self.assertRaises(BlockingIOError, client.recv, 10)

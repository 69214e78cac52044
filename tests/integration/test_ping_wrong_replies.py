"""
Replies to a ping over a stream that differ from the probes: corrupt at the first wrong byte.
"""

from __future__ import annotations

import socket
from random import Random

import pytest
from twisted.trial.unittest import SynchronousTestCase

from sockservices.client.ping_statistics import PROBE_SIZE, PingStatistics
from tests.support.commands import Run
from tests.support.plain_servers import streamServer

#: Servers that answer each connection once, and then keep it open or close it; the counts of one probe.
WRONG = [b"hello", b"please go out!", b"connected", b"\n", b"x" * 200]


@pytest.mark.parametrize("close", [False, True], ids=["open", "closes"])
@pytest.mark.parametrize("reply", WRONG)
def test_command(reply: bytes, close: bool, run: Run) -> None:
    """
    Whether the server stays open or closes, a reply that differs from the first byte on is corrupt.
    """

    def serve(connection: socket.socket) -> None:
        connection.recv(PROBE_SIZE)
        connection.sendall(reply)
        if not close:
            connection.recv(1)

    with streamServer(serve) as url:
        done = run("ping", url, "--count=1", "--timeout=5")
    assert done.status == 15, done
    assert done.err == f"sockservices ping: {url}: corrupt: a reply differs from its probe\n"
    assert ": 1 sent, 0 returned, 1 lost, 1 corrupt, " in done.out.decode()


class BeginsTests(SynchronousTestCase):
    """
    Tests for L{PingStatistics.canBegin}.
    """

    def test_prefixes(self) -> None:
        """
        Every prefix of a probe that was sent can begin a reply; with another byte at the end, none can.
        """
        statistics = PingStatistics(Random(1))
        probes = [statistics.makeProbe(0.0) for _ in range(12)]
        for probe in (probes[0], probes[9], probes[11]):
            for length in range(1, PROBE_SIZE + 1):
                prefix = probe[:length]
                self.assertTrue(statistics.canBegin(prefix), prefix)
                self.assertFalse(statistics.canBegin(prefix[:-1] + b"!"), prefix)

    def test_unsent(self) -> None:
        """
        A probe that was not sent begins no reply, although its nonce is right.
        """
        statistics, other = PingStatistics(Random(1)), PingStatistics(Random(1))
        statistics.makeProbe(0.0)
        probes = [other.makeProbe(0.0) for _ in range(2)]
        self.assertTrue(statistics.canBegin(probes[0]))
        self.assertFalse(statistics.canBegin(probes[1]))

"""
Producers and back-pressure of connections.
"""

from __future__ import annotations

import os
from typing import Any

from sockservices.transports.unacked import userspaceBytes
from tests.support.stream_ports import LONG, ConnectionCase, UnixCase


class _Producer:
    """
    A push producer that records the calls of its methods.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class _PullProducer:
    """
    A pull producer that writes one piece for each call, and closes the connection after the last.
    """

    def __init__(self, transport: Any, pieces: list[bytes]) -> None:
        self._transport = transport
        self._pieces = pieces

    def resumeProducing(self) -> None:
        if self._pieces:
            self._transport.write(self._pieces.pop(0))
        else:
            self._transport.unregisterProducer()
            self._transport.loseConnection()

    def stopProducing(self) -> None:
        pass


class ProducerTests(ConnectionCase):
    """
    Producers of TCP connections.
    """

    def test_pushProducer(self) -> None:
        """
        Data beyond the kernel's buffers arrives whole and in order. A push producer is paused until it is written.
        """
        client, _, transport = self.openConnection()
        producer = _Producer()
        data = os.urandom(LONG)
        transport.registerProducer(producer, True)
        transport.write(data[:-5])
        self.assertEqual(producer.calls, ["pause"])
        transport.write(data[-5:])
        self.turn(5)
        self.assertTrue(self.receive(client, LONG) == data)
        self.assertEqual((producer.calls[-1], producer.calls.count("resume")), ("resume", 1))
        transport.unregisterProducer()
        self.assertServed(client)

    def test_producerStopped(self) -> None:
        """
        C{stopProducing} is called when the connection is lost.
        """
        client, protocol, transport = self.openConnection()
        producer = _Producer()
        transport.registerProducer(producer, True)
        client.close()
        self.waitForEvents(protocol)
        self.assertEqual(producer.calls, ["stop"])

    def test_pullProducer(self) -> None:
        """
        A pull producer is resumed when the last piece is written, and not earlier. It may close the connection.
        """
        client, _, transport = self.openConnection()
        transport.registerProducer(_PullProducer(transport, [b"piece" * 2000] * 300), False)
        self.turn(5)
        self.assertLess(userspaceBytes(transport), 131072)
        self.assertTrue(self.receiveAll(client) == b"piece" * 2000 * 300)

    def test_closeWaitsForThePullProducer(self) -> None:
        """
        C{loseConnection} waits until a pull producer has unregistered.
        """
        for pieces in ([b"a", b"b"], [b"", b"a", b"b"]):
            client, _, transport = self.openConnection()
            transport.registerProducer(_PullProducer(transport, pieces), False)
            transport.loseConnection()
            self.assertEqual(self.receiveAll(client), b"ab")

    def test_paused(self) -> None:
        """
        A paused connection delivers nothing until it is resumed.
        """
        client, protocol, transport = self.openConnection()
        transport.pauseProducing()
        client.sendall(b"hello")
        self.turn(5)
        self.assertEqual(protocol.segments, [])
        transport.resumeProducing()
        self.assertEqual(self.receive(client, 5), b"HELLO")


class UnixProducerTests(UnixCase, ProducerTests):
    """
    The same over Unix sockets.
    """

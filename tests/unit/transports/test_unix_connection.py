"""
Unix stream connections, which pass file descriptors with data (SCM_RIGHTS, unix(7)).
"""

from __future__ import annotations

import os
import socket

from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.logger import capturedLogs
from zope.interface import implementer

from tests.support.loop import descriptors
from tests.support.stream_ports import StreamRecorder, UnixCase


@implementer(IFileDescriptorReceiver)
class _DescriptorRecorder(StreamRecorder):
    """
    A recorder that accepts descriptors.
    """

    def fileDescriptorReceived(self, descriptor: int) -> None:
        self.events.append(descriptor)


class UnixConnectionTests(UnixCase):
    """
    Unix stream connections.
    """

    def test_noDelay(self) -> None:
        """
        The TCP options exist and have no effect.
        """
        _, _, transport = self.openConnection()
        transport.setTcpNoDelay(True)
        self.assertFalse(transport.getTcpNoDelay())

    def test_sendDescriptors(self) -> None:
        """
        Descriptors are sent with the data that is written next, in their order.
        """
        client, _, transport = self.openConnection()
        files = [self.closeLater((self.folder / f"file{count}").open("wb")) for count in range(3)]
        transport.write(b"0")
        for count, file in enumerate(files, 1):
            transport.sendFileDescriptor(file.fileno())
            transport.write(b"%d" % count)
        self.turn(5)
        output, inodes = b"", []
        while len(output) < 4:
            data, received, _, _ = socket.recv_fds(client, 10, 10)
            output += data
            for descriptor in received:
                inodes.append(os.fstat(descriptor).st_ino)
                os.close(descriptor)
        self.assertEqual((output, inodes), (b"0123", [os.fstat(file.fileno()).st_ino for file in files]))
        self.assertServed(client)

    def test_descriptorsReceived(self) -> None:
        """
        A protocol that accepts descriptors receives them.
        """
        self.protocolClass = _DescriptorRecorder
        client, protocol, _ = self.openConnection()
        socket.send_fds(client, [b"hello"], [client.fileno()] * 2)
        self.assertEqual(self.receive(client, 5), b"HELLO")
        for descriptor in protocol.events:
            with socket.socket(fileno=descriptor) as received:
                self.assertEqual(received.getpeername(), client.getpeername())
        self.assertEqual(len(protocol.events), 2)

    def test_descriptorsRejected(self) -> None:
        """
        For any other protocol, descriptors are closed and not logged, on both kinds of transport. The data is answered.
        """
        for self.plain in (False, True):
            client, _, _ = self.openConnection()
            before = descriptors()
            with capturedLogs() as events:
                for _ in range(8):
                    socket.send_fds(client, [b"hello"], [client.fileno()] * 64)
                    self.assertEqual(self.receive(client, 5), b"HELLO")
            self.assertEqual((descriptors(), events), (before, []))

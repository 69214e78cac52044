"""
Members of a poll group that do not read for the moment.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost

from tests.unit.transports.test_poll_group import GroupCase


class PausedMemberTests(GroupCase):
    """
    Paused members.
    """

    def addPaused(self) -> Any:
        """
        Add a member with input, and pause it.
        """
        member = self.addMember()
        self.group.pauseReader(member)
        self.turn(2)
        self.assertEqual((member.events, member.reasons), (0, []))
        return member

    def test_resume(self) -> None:
        """
        A paused member is not called, until it reads again.
        """
        member = self.addPaused()
        self.group.pauseReader(member)
        self.group.addReader(member)
        self.turn()
        self.assertEqual(member.events, 1)

    def test_writing(self) -> None:
        """
        A paused member may write meanwhile.
        """
        member = self.addPaused()
        self.group.addWriter(member)
        self.turn()
        self.assertEqual(member.events, 1)
        self.group.removeWriter(member)
        self.turn(2)
        self.assertEqual(member.events, 1)
        member.socket.send(b"unread")
        member.peer.close()
        self.turn()
        self.assertEqual(member.reasons, [ConnectionLost])

    def test_end(self) -> None:
        """
        The end of a peer that has read everything is not reported to a paused member, which may have input to read; nor
        does the event repeat. The member reads up to the end later.
        """
        member = self.addPaused()
        member.peer.close()
        self.turn(3)
        self.assertEqual((member.events, member.reasons), (0, []))
        assert self.group._epoll is not None
        self.assertEqual(self.group._epoll.poll(0), [])
        self.group.addReader(member)
        self.turn()
        self.assertEqual((member.events, member.socket.recv(10)), (1, b"!"))

    def test_reset(self) -> None:
        """
        A reset is reported to a paused member, whatever input it has not read.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            member = self.addMember(ready=False)
            self.group.removeReader(member)
            member.socket.close()
            member.peer.close()
            member.peer = socket.create_connection(listening.getsockname())
            member.socket, _ = listening.accept()
        member.fileno = member.socket.fileno
        self.group.addReader(member)
        member.peer.send(b"unread")
        self.group.pauseReader(member)
        self.turn()
        self.assertEqual(member.reasons, [])
        member.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        member.peer.close()
        self.turn()
        self.assertEqual((member.events, member.reasons), (0, [ConnectionLost]))

    def test_groupEnds(self) -> None:
        """
        When the reactor stops, paused members lose their connections too.
        """
        member = self.addPaused()
        self.reactor.disconnectAll()
        self.assertEqual(len(member.reasons), 1)
        self.assertNotEqual(member.reasons, [ConnectionDone])

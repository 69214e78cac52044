"""
An epoll set that the reactor watches as one descriptor.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from sockservices.transports.poll_group import PollGroup
from tests.support.loop import LoopCase, descriptors


class _Member:
    """
    A member of a group, with one socket of a pair.

    @ivar peer: the other socket.
    @ivar action: called for each event. By default it reads nothing, so that the event repeats.
    @ivar events: the number of events.
    @ivar reasons: the type of the reason of each C{connectionLost}.
    """

    def __init__(self, group: PollGroup) -> None:
        self._group = group
        self.socket, self.peer = socket.socketpair()
        self.socket.setblocking(False)
        self.fileno = self.socket.fileno
        self.events = 0
        self.reasons: list[Any] = []
        self.action: Any = lambda: None

    def doRead(self) -> Any:
        self.events += 1
        return self.action()

    doWrite = doRead

    def connectionLost(self, reason: Failure) -> None:
        self.reasons.append(reason.type)
        self.leave()

    def leave(self) -> None:
        self._group.removeReader(self)
        self._group.removeWriter(self)
        self.socket.close()
        self.peer.close()


def fail(error: type[BaseException] = ZeroDivisionError) -> None:
    """
    Raise an exception.
    """
    raise error("on purpose")


class GroupCase(LoopCase):
    """
    A test of a group. At its end the group has no descriptor, and the reactor does not watch it.
    """

    def setUp(self) -> None:
        """
        Make the group.
        """
        super().setUp()
        self.before = descriptors()
        self.group = PollGroup(self.reactor)
        self.members: list[_Member] = []
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        Remove all members.
        """
        self.group.retire()
        for member in self.members:
            member.leave()
        self.turn()
        self.assertQuiet()
        self.assertEqual((self.group.fileno(), descriptors()), (-1, self.before))

    def addMember(self, ready: bool = True) -> Any:
        """
        Add a member that reads.

        @param ready: whether it always has input.
        """
        member = _Member(self.group)
        self.members.append(member)
        self.group.addReader(member)
        if ready:
            member.peer.send(b"!")
        return member


class DispatchTests(GroupCase):
    """
    Dispatch of events.
    """

    def test_oneTurn(self) -> None:
        """
        The reactor watches one descriptor, that of the group. All ready members are called once in one turn.
        """
        verifyObject(IReadDescriptor, self.group)
        self.assertEqual(self.group.logPrefix(), "PollGroup")
        members = [self.addMember() for _ in range(200)]
        readers = set(self.reactor.getReaders()) - self.reactor._internalReaders
        self.assertEqual((readers, self.reactor.getWriters()), ({self.group}, []))
        self.turn()
        self.assertEqual({member.events for member in members}, {1})

    def test_writer(self) -> None:
        """
        A writer is called while its socket has room, until it is removed, whether it reads or not.
        """
        member = self.addMember(False)
        for _ in range(2):
            member.events = 0
            for change in (self.group.addWriter, self.group.removeWriter):
                change(member)
                change(member)
                self.turn()
                self.assertEqual(member.events, 1)
        member.peer.send(b"!")
        self.group.addWriter(member)
        self.turn()
        self.assertEqual(member.events, 3)
        self.group.removeReader(member)
        self.turn()
        self.assertEqual(member.events, 4)

    def test_disconnected(self) -> None:
        """
        A member that returns a reason is disconnected with it. It gets no further event as a reader or a writer, even
        if it does not leave the group by itself.
        """
        for writing in (False, True):
            member = self.addMember()
            member.action = lambda: CONNECTION_DONE
            member.connectionLost = lambda reason, member=member: member.reasons.append(reason.type)
            if writing:
                self.group.addWriter(member)
            self.turn(3)
            self.assertEqual((member.events, member.reasons), (1, [ConnectionDone]))

    def test_raises(self) -> None:
        """
        A member that raises any exception is disconnected, also when its C{connectionLost} raises. The others get
        their events.
        """
        others = [self.addMember()]
        errors = (ZeroDivisionError, SystemExit, KeyboardInterrupt)
        members = [self.addMember() for _ in errors]
        for member, error in zip(members, errors, strict=True):
            member.action = lambda error=error: fail(error)
        others.append(self.addMember())
        last = self.addMember()
        last.action = lambda: CONNECTION_DONE
        last.connectionLost = lambda reason: fail(OSError)
        self.turn(3)
        self.assertEqual([member.reasons for member in members], [[error] for error in errors])
        self.assertTrue(all(member.events for member in others))
        self.assertEqual(len(self.flushLoggedErrors()), 4)

    def test_writerHangsUp(self) -> None:
        """
        A writer is disconnected when its peer has closed.
        """
        member = self.addMember(False)
        self.group.removeReader(member)
        self.group.addWriter(member)
        self.group.removeWriter(member)
        member.peer.close()
        self.turn(3)
        self.assertEqual((member.events, member.reasons), (0, []))
        self.group.addWriter(member)
        member.doWrite = lambda: None
        self.turn()
        self.assertEqual(len(member.reasons), 1)

    def test_readerHangsUp(self) -> None:
        """
        A hang-up without input ends a reader cleanly: a pipe whose writer has closed reports EPOLLHUP alone.
        """
        member = self.addMember(False)
        self.group.removeReader(member)
        reader, writer = os.pipe()
        os.dup2(reader, member.fileno())
        os.close(reader)
        self.group.addReader(member)
        os.close(writer)
        self.turn()
        self.assertEqual((member.events, member.reasons), (0, [ConnectionDone]))


class CallAfterDispatchTests(GroupCase):
    """
    L{PollGroup.callAfterDispatch}.
    """

    def scheduleCalls(self) -> None:
        """
        Schedule three calls, of which the first schedules a fourth, and the second raises.
        """
        self.calls: list[str] = []

        def first() -> None:
            self.calls.append("first")
            self.group.callAfterDispatch(lambda: self.calls.append("fourth"))

        for call in (first, fail, lambda: self.calls.append("third")):
            self.group.callAfterDispatch(call)
        self.calls.append("scheduled")

    def test_order(self) -> None:
        """
        Calls are made in order, also those that a call schedules, and also if one raises. Calls that are scheduled
        during a dispatch are made in the same turn of the reactor, others in the next.
        """
        member = self.addMember(False)

        def action() -> None:
            self.group.removeReader(member)
            self.scheduleCalls()

        member.action = action
        for schedule in (lambda: member.peer.send(b"!"), self.scheduleCalls, self.scheduleCalls):
            schedule()
            self.turn()
            self.assertEqual(self.calls, ["scheduled", "first", "third", "fourth"])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertEqual(self.reactor.getDelayedCalls(), [])


class RetireTests(GroupCase):
    """
    The end of a group.
    """

    def test_openWhileInUse(self) -> None:
        """
        A group has no descriptor before its first member. It has the same one until it is retired and the last member
        has left.
        """
        self.assertEqual((self.group.fileno(), descriptors()), (-1, self.before))
        member = self.addMember()
        number = self.group.fileno()
        self.group.removeReader(member)
        self.assertEqual(self.group.fileno(), number)
        other = self.addMember()
        self.group.addReader(member)
        self.group.retire()
        self.group.removeReader(member)
        self.turn()
        self.assertEqual((self.group.fileno(), bool(other.events)), (number, True))
        self.group.removeReader(other)
        self.assertEqual(self.group.fileno(), -1)
        self.assertQuiet()

    def test_invalidMember(self) -> None:
        """
        A retired group has no descriptor after a member that epoll rejects, such as a regular file.
        """
        self.group.retire()
        with (self.folder / "file").open("wb") as file:
            self.assertRaises(PermissionError, self.group.addReader, file)
        self.assertEqual(self.group.fileno(), -1)

    def test_joinAgain(self) -> None:
        """
        The last member of a retired group may leave and join again, also within its event. The new epoll set may have
        another descriptor.
        """
        lowest = os.open(os.devnull, os.O_RDONLY)
        member = self.addMember()
        self.group.retire()
        self.group.removeReader(member)
        self.group.addReader(member)

        def action() -> None:
            self.group.removeReader(member)
            os.close(lowest)
            self.group.addReader(member)
            member.action = lambda: None

        member.action = action
        self.turn(2)
        self.assertEqual((member.reasons, member.events), ([], 2))

    def test_reactorStops(self) -> None:
        """
        A reactor that stops disconnects all members, readers and writers, also if one raises.
        """
        members = [self.addMember() for _ in range(3)]
        self.group.addWriter(members[0])
        self.group.addWriter(members[1])
        self.group.removeReader(members[1])

        def connectionLost(reason: Failure) -> None:
            _Member.connectionLost(members[0], reason)
            fail()

        members[0].connectionLost = connectionLost
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([member.reasons for member in members], [[ConnectionLost]] * 3)
        self.assertEqual((self.group.fileno(), descriptors()), (-1, self.before))

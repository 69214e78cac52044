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
from tests.support.stream_ports import ConnectionCase, HalfCloseRecorder, StreamRecorder, UpperStream


class Member:
    """
    One end of a pair of sockets, which calls C{does} for each event.

    @ivar far: the other end.
    @ivar served: the number of events.
    @ivar lost: the reason of each C{connectionLost}.
    """

    def __init__(self, group: PollGroup) -> None:
        self.group = group
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.fileno = self.near.fileno
        self.served = 0
        self.lost: list[Any] = []
        self.does: Any = lambda: None

    def doRead(self) -> Any:
        """
        Count the event and read nothing, so that it repeats.
        """
        self.served += 1
        return self.does()

    doWrite = doRead

    def connectionLost(self, reason: Failure) -> None:
        """
        Note the reason and leave the group.
        """
        self.lost.append(reason.type)
        self.group.removeReader(self)
        self.group.removeWriter(self)
        self.close()

    def close(self) -> None:
        """
        Close both ends.
        """
        self.near.close()
        self.far.close()


class GroupCase(LoopCase):
    """
    A test of a group. At its end it has no descriptor and no place in the reactor.
    """

    def setUp(self) -> None:
        """
        Make the group.
        """
        super().setUp()
        self.before = descriptors()
        self.group = PollGroup(self.reactor)
        self.members: list[Member] = []
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        Remove all members.
        """
        self.group.retire()
        for member in self.members:
            self.group.removeReader(member)
            self.group.removeWriter(member)
            member.close()
        self.turn()
        self.assertQuiet()
        self.assertEqual((self.group.fileno(), descriptors()), (-1, self.before))

    def join(self, ready: bool = True) -> Member:
        """
        Add a member that reads.

        @param ready: whether it always has input.
        """
        member = Member(self.group)
        self.members.append(member)
        self.group.addReader(member)
        if ready:
            member.far.send(b"!")
        return member


class ServingTests(GroupCase):
    """
    Dispatch of events.
    """

    def test_interface(self) -> None:
        """
        A group is a reader of the reactor.
        """
        verifyObject(IReadDescriptor, self.group)
        self.assertEqual(self.group.logPrefix(), "PollGroup")

    def test_oneWatched(self) -> None:
        """
        The reactor watches one descriptor for any number of members.
        """
        for _ in range(5):
            self.join()
        readers = set(self.reactor.getReaders()) - self.reactor._internalReaders
        self.assertEqual((readers, self.reactor.getWriters()), ({self.group}, []))

    def test_allAtOnce(self) -> None:
        """
        All ready members are called once in one turn of the reactor.
        """
        members = [self.join() for _ in range(200)]
        self.turn()
        self.assertEqual({member.served for member in members}, {1})

    def test_busyPeersAreFair(self) -> None:
        """
        Members that are always ready delay neither other members nor timers.
        """
        busy = [self.join() for _ in range(3)]
        seldom = self.join(False)
        calls: list[int] = []
        for turn in range(5):
            seldom.served = 0
            seldom.far.send(b"!")
            seldom.does = lambda: seldom.near.recv(1) and None
            self.reactor.callLater(0, calls.append, turn)
            self.turn()
            self.assertEqual(seldom.served, 1)
        self.turn()
        self.assertEqual(calls, list(range(5)))
        counts = [member.served for member in busy]
        self.assertLessEqual(max(counts) - min(counts), 6)
        self.assertLess(sum(counts), 6 * 1200)

    def test_room(self) -> None:
        """
        A writer is called while its socket has room, until it is removed, whether it reads or not.
        """
        member = self.join(False)
        for _ in range(2):
            self.group.addWriter(member)
            self.group.addWriter(member)
            self.turn()
            self.assertEqual(member.served, 1)
            self.group.removeWriter(member)
            self.group.removeWriter(member)
            self.turn()
            self.assertEqual(member.served, 1)
            member.served = 0
        member.far.send(b"!")
        self.group.addWriter(member)
        self.turn()
        self.assertEqual(member.served, 2)
        self.group.removeReader(member)
        self.turn()
        self.assertEqual(member.served, 3)

    def test_done(self) -> None:
        """
        A member that returns a reason is disconnected with it.
        """
        member = self.join()
        member.does = lambda: CONNECTION_DONE
        self.turn(3)
        self.assertEqual((member.served, member.lost), (1, [ConnectionDone]))

    def test_raises(self) -> None:
        """
        A member that raises any exception is disconnected, also when its C{connectionLost} raises; the others go on.
        """

        def fail(kind: type[BaseException]) -> None:
            raise kind("on purpose")

        others = [self.join()]
        members = []
        for kind in (ZeroDivisionError, SystemExit, KeyboardInterrupt):
            member = self.join()
            member.does = lambda kind=kind: fail(kind)
            members.append(member)
        others.append(self.join())
        last = self.join()
        last.does = lambda: CONNECTION_DONE
        last.connectionLost = lambda reason: fail(OSError)  # type: ignore[method-assign]
        self.turn(3)
        self.assertEqual([member.lost for member in members], [[ZeroDivisionError], [SystemExit], [KeyboardInterrupt]])
        self.assertTrue(all(member.served for member in others))
        self.assertEqual(len(self.flushLoggedErrors()), 4)

    def test_removedByAnother(self) -> None:
        """
        A member that another one has removed in the same batch gets no event.
        """
        first, second = self.join(), self.join()
        first.does = lambda: self.group.removeReader(second)
        self.turn(3)
        self.assertTrue(first.served)
        self.assertEqual(second.served, 0)

    def test_hungUp(self) -> None:
        """
        A writer is disconnected when its peer has closed.
        """
        member = self.join(False)
        self.group.removeReader(member)
        self.group.addWriter(member)
        self.group.removeWriter(member)
        member.far.close()
        self.turn(3)
        self.assertEqual((member.served, member.lost), (0, []))
        self.group.addWriter(member)
        member.doWrite = lambda: None  # type: ignore[method-assign]
        self.turn()
        self.assertEqual(len(member.lost), 1)

    def test_endOfInput(self) -> None:
        """
        A hang-up without input ends a reader cleanly: a pipe whose writer has gone reports EPOLLHUP alone.
        """
        member = self.join(False)
        self.group.removeReader(member)
        reader, writer = os.pipe()
        os.dup2(reader, member.near.fileno())
        os.close(reader)
        self.group.addReader(member)
        os.close(writer)
        self.turn()
        self.assertEqual((member.served, member.lost), (0, [ConnectionDone]))

    def test_disconnectedWriter(self) -> None:
        """
        A member that reads, writes and is disconnected gets no further event, even if it does not leave by itself.
        """
        member = self.join()
        self.group.addWriter(member)
        member.does = lambda: CONNECTION_DONE
        member.connectionLost = lambda reason: None  # type: ignore[method-assign]
        self.turn(3)
        self.assertEqual(member.served, 1)


class CallAfterDispatchTests(GroupCase):
    """
    L{PollGroup.callAfterDispatch}.
    """

    def setUp(self) -> None:
        """
        Make a list of the calls.
        """
        super().setUp()
        self.done: list[object] = []

    def nested(self) -> None:
        """
        Schedule two calls, of which the first schedules a third.
        """

        def first() -> None:
            self.done.append("first")
            self.group.callAfterDispatch(lambda: self.done.append("third"))

        self.group.callAfterDispatch(first)
        self.group.callAfterDispatch(lambda: self.done.append("second"))
        self.done.append("nothing yet")

    def test_whileServing(self) -> None:
        """
        During a dispatch, calls are made in the same turn and in order, also those that a call schedules.
        """
        member = self.join()

        def does() -> None:
            self.group.removeReader(member)
            self.nested()

        member.does = does
        self.turn()
        self.assertEqual(self.done, ["nothing yet", "first", "second", "third"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_otherwise(self) -> None:
        """
        Outside of a dispatch, calls are made in the next turn of the reactor.
        """
        for _ in range(2):
            self.done.clear()
            self.nested()
            self.turn()
            self.assertEqual(self.done, ["nothing yet", "first", "second", "third"])

    def test_raises(self) -> None:
        """
        When one call raises, the others are made.
        """

        def fail() -> None:
            raise ZeroDivisionError("on purpose")

        self.group.callAfterDispatch(fail)
        self.group.callAfterDispatch(lambda: self.done.append("done"))
        self.turn()
        self.assertEqual(self.done, ["done"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class RetireTests(GroupCase):
    """
    The end of a group.
    """

    def test_keptWhileInUse(self) -> None:
        """
        A group keeps its descriptor until it is retired and the last member has left.
        """
        member = self.join()
        number = self.group.fileno()
        self.group.removeReader(member)
        self.assertEqual(self.group.fileno(), number)
        other = self.join()
        self.group.addReader(member)
        self.group.retire()
        self.group.removeReader(member)
        self.turn()
        self.assertEqual((self.group.fileno(), bool(other.served)), (number, True))
        self.group.removeReader(other)
        self.assertEqual(self.group.fileno(), -1)
        self.assertQuiet()

    def test_neverUsed(self) -> None:
        """
        A group without members has no descriptor.
        """
        self.assertEqual((self.group.fileno(), descriptors()), (-1, self.before))

    def test_refusedMember(self) -> None:
        """
        A retired group has no descriptor after a member that epoll refuses, such as a regular file.
        """
        self.group.retire()
        with (self.folder / "file").open("wb") as file:
            self.assertRaises(PermissionError, self.group.addReader, file)
        self.assertEqual(self.group.fileno(), -1)

    def test_again(self) -> None:
        """
        A member may join a retired group again.
        """
        member = self.join()
        self.group.retire()
        self.group.removeReader(member)
        self.group.addReader(member)
        self.turn()
        self.assertEqual(member.served, 1)

    def test_againWhileServed(self) -> None:
        """
        The last member may leave and join again within its event, whatever descriptor the new set has.
        """
        hole = os.open(os.devnull, os.O_RDONLY)
        member = self.join()
        self.group.retire()

        def does() -> None:
            self.group.removeReader(member)
            os.close(hole)
            self.group.addReader(member)
            member.does = lambda: None

        member.does = does
        self.turn(2)
        self.assertEqual((member.lost, member.served), ([], 2))

    def letGo(self) -> None:
        """
        Disconnect all readers, as a reactor that stops.
        """
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))

    def test_letGo(self) -> None:
        """
        A reactor that stops disconnects all members, readers and writers.
        """
        members = [self.join() for _ in range(3)]
        self.group.addWriter(members[0])
        self.group.addWriter(members[1])
        self.group.removeReader(members[1])
        self.letGo()
        self.assertEqual([member.lost for member in members], [[ConnectionLost]] * 3)
        self.assertEqual((self.group.fileno(), descriptors()), (-1, self.before))

    def test_letGoRaises(self) -> None:
        """
        A member that raises then does not keep the others connected.
        """
        members = [self.join() for _ in range(3)]
        first = members[0]

        def fail(reason: Failure) -> None:
            Member.connectionLost(first, reason)
            raise ZeroDivisionError("on purpose")

        first.connectionLost = fail  # type: ignore[method-assign]
        try:
            self.letGo()
        finally:
            self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual([member.lost for member in members], [[ConnectionLost]] * 3)


class PortTests(ConnectionCase):
    """
    The poll groups of stream ports.
    """

    def test_quiet(self) -> None:
        """
        All connections of a port are one reader, whose descriptor is closed after the last one.
        """
        before = descriptors()
        port = self.listen()
        clients = [self.open(port)[0] for _ in range(3)]
        for client in clients:
            self.assertServed(client)
        self.assertEqual(len(set(self.reactor.getReaders()) - self.reactor._internalReaders), 2)
        port.stopListening()
        for client in clients:
            self.assertServed(client)
            client.close()
        self.until(lambda: self.factory.made == self.factory.lost)
        self.assertQuiet()
        self.assertEqual(descriptors(), before)

    def test_letGo(self) -> None:
        """
        A reactor that stops disconnects the port and its connections.
        """
        before = descriptors()
        port = self.listen()
        clients = [self.open(port)[0] for _ in range(3)]
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.factory.lost), 3)
        for client in clients:
            client.close()
        self.assertEqual((port.fileno(), descriptors()), (-1, before))
        self.assertQuiet()

    def test_exits(self) -> None:
        """
        SystemExit in one protocol ends no other connection.
        """

        def received(protocol: StreamRecorder, data: bytes) -> None:
            if data == b"exit":
                raise SystemExit(1)
            UpperStream.dataReceived(protocol, data)

        self.received = received
        port = self.listen()
        other, (client, protocol, _) = self.open(port)[0], self.open(port)
        client.sendall(b"exit")
        self.assertServed(other)
        self.until(lambda: protocol.events)
        self.assertEqual((protocol.events, len(self.flushLoggedErrors(SystemExit))), ([SystemExit], 1))
        self.assertServed(self.open(port)[0])

    def test_busyPeersAreFair(self) -> None:
        """
        Peers that send without end delay neither another peer's reply nor a timer by more than two turns.
        """
        port = self.listen()
        seldom = self.open(port)[0]
        busy = [self.open(port)[0] for _ in range(3)]
        self.received = lambda protocol, data: None if data[:1] == b"\0" else UpperStream.dataReceived(protocol, data)
        calls: list[None] = []
        for client in busy:
            try:
                while client.send(bytes(1 << 20)):
                    pass
            except BlockingIOError:
                pass
        seldom.sendall(b"words")
        self.reactor.callLater(0, calls.append, None)
        self.turn(2)
        self.assertEqual((seldom.recv(5), calls), (b"WORDS", [None]))

    def test_acceptsPerTurn(self) -> None:
        """
        At most 64 connections are accepted in one turn of the reactor, also while others are busy.
        """
        port = self.listen()
        group: Any = port.group
        member = Member(group)
        self.addCleanup(member.connectionLost, Failure(ConnectionDone()))
        group.addReader(member)
        member.far.send(b"!")
        for _ in range(100):
            self.connect(port.getHost())
        self.turn()
        self.assertLessEqual(len(self.factory.made), 64)

    def test_pausedWhenStopped(self) -> None:
        """
        The last connection of a stopped port may pause and resume within one call.
        """
        hole = os.open(os.devnull, os.O_RDONLY)

        def received(protocol: StreamRecorder, data: bytes) -> None:
            transport: Any = protocol.transport
            transport.pauseProducing()
            os.close(hole)
            transport.resumeProducing()
            self.received = UpperStream.dataReceived
            transport.write(data.upper())

        self.received = received
        port = self.listen()
        client, protocol, _ = self.open(port)
        port.stopListening()
        client.sendall(b"words")
        self.assertEqual((self.hear(client, 5), protocol.events), (b"WORDS", []))
        self.turn(3)
        self.assertEqual(protocol.events, [])
        self.assertServed(client)

    def test_halfClosedUnread(self) -> None:
        """
        A half-closed connection gets no repeated event, and can be closed.
        """
        self.kind = HalfCloseRecorder
        client, protocol, transport = self.open()
        client.shutdown(socket.SHUT_WR)
        self.until(lambda: protocol.events)
        self.turn(5)
        self.assertEqual(protocol.events, ["read"])
        transport.loseConnection()
        self.turn(2)
        self.assertEqual(protocol.events, ["read", ConnectionDone])

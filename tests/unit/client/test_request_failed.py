"""
The failure that belongs to each behaviour of a server's socket, over streams and datagrams.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectBindError, NoRouteError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from sockservices.client import RequestFailed, Target, Unanswered, Verdict, ask, askDatagram
from tests.support.client import SHORT_TIMEOUT, ClientCase, EmptyResolver
from tests.support.sockets import closeWithReset


@implementer(IStreamClientEndpoint)
class FailingEndpoint:
    """
    An endpoint whose connection attempts fail.
    """

    def __init__(self, exception: Exception) -> None:
        self._exception = exception

    def connect(self, _: object) -> Deferred[Any]:
        """
        Fail.
        """
        return fail(self._exception)


class RequestFailedTests(SynchronousTestCase):
    """
    Tests for the exception itself.
    """

    def test_attributes(self) -> None:
        """
        The text is the verdict and the description; the partial answer is an attribute, and empty by default. The class
        has a second name, which version 0.1.0 documented.
        """
        failure = RequestFailed(Verdict.SHORT, "received 3 of 5 bytes", b"abc")
        self.assertEqual(
            (str(failure), failure.verdict, failure.answer), ("short: received 3 of 5 bytes", Verdict.SHORT, b"abc")
        )
        self.assertEqual(RequestFailed(Verdict.EOF, "nothing").answer, b"")
        self.assertIs(Unanswered, RequestFailed)


class VerdictTests(ClientCase):
    """
    Tests for requests over every kind of socket.
    """

    def streams(self) -> list[tuple[Target, socket.socket]]:
        """
        Listen on each kind of stream.
        """
        return [self.listening(), self.listening("tcp", "::1"), self.listening("unix")]

    def datagrams(self) -> list[tuple[Target, socket.socket]]:
        """
        Bind each kind of datagram socket.
        """
        return [self.bound("udp"), self.bound("udp", "::1"), self.bound("unixgram")]

    def test_answers(self) -> None:
        """
        An answer is good, missing, short or corrupt. A stream fails at the first wrong byte, without waiting for the
        FIN. An empty answer is good if it is expected, or if it is a datagram and none is expected.
        """
        missing, differs = (
            "eof: the peer closed without an answer",
            "corrupt: the answer differs from the expected one at",
        )
        for target, opened in (*self.streams(), *self.datagrams()):
            for sent, expect, verdict, description in (
                (b"DATA", None, Verdict.OK, ""),
                (b"DATA", b"DATA", Verdict.OK, ""),
                (b"", b"", Verdict.OK, ""),
                (b"", None, Verdict.EOF if target.stream else Verdict.OK, missing),
                (b"", b"DATA", Verdict.EOF, missing),
                (b"DAT", b"DATA", Verdict.SHORT, "short: received 3 of 4 bytes"),
                (b"DAoA", b"DATA", Verdict.CORRUPT, f"{differs} byte 2"),
                (b"DATA!", b"DATA", Verdict.CORRUPT, f"{differs} byte 4"),
                (b"data", b"DATA", Verdict.CORRUPT, f"{differs} byte 0"),
            ):
                answer = self.ask(target, b"question", expect=expect)
                if target.stream:
                    remote = self.accepted(opened)
                    self.assertEqual(self.receive(remote, 10), b"question")
                    remote.send(sent)
                    if verdict is not Verdict.CORRUPT:
                        remote.close()
                else:
                    datagram, source = self.receivedDatagram(opened)
                    self.assertEqual(datagram, b"question")
                    opened.sendto(sent, source)
                if verdict is Verdict.OK:
                    self.assertEqual(self.wait(answer), sent)
                else:
                    failure = self.assertFails(answer, verdict)
                    self.assertEqual((str(failure), failure.answer), (description, sent))

    def test_timeout(self) -> None:
        """
        Without a reply a datagram times out; without a FIN an answer is incomplete, and the failure has the answer so
        far.
        """
        for target, _ in self.datagrams():
            failure = self.assertFails(self.ask(target, timeout=SHORT_TIMEOUT), Verdict.TIMEOUT)
            self.assertEqual(str(failure), "timeout: no reply within 0.05 s")
        for target, listener in self.streams():
            answer = self.ask(target, b"data", timeout=SHORT_TIMEOUT)
            self.accepted(listener).send(b"DATA")
            self.assertEqual(self.assertFails(answer, Verdict.INCOMPLETE).answer, b"DATA")

    def test_reset(self) -> None:
        """
        A reset fails the request, before or after the first byte of the answer. A Unix socket resets when it is closed
        with unread data.
        """
        for target, listener in self.streams():
            for sent in (b"", b"DAT"):
                answer = self.ask(target, b"data", expect=b"DATA")
                remote = self.accepted(listener)
                self.turn(3)
                remote.send(sent)
                self.turn(5)
                closeWithReset(remote)
                failure = self.assertFails(answer, Verdict.RESET)
                self.assertEqual((str(failure), failure.answer), ("reset: the peer reset the connection", sent))

    def test_refused(self) -> None:
        """
        A stream socket that does not listen, a UDP port without a socket, and the file of a closed Unix datagram socket
        refuse.
        """
        closed, remote = self.bound("unixgram")
        remote.close()
        for target in (
            *(self.bound(*kind)[0] for kind in (("tcp",), ("tcp", "::1"), ("unix",))),
            # The abstract namespace has no files, so the kernel cannot report that there is no such socket.
            *(Target("unix", "@sockservices-none"), self.refusing(), closed),
        ):
            failure = self.assertFails(self.ask(target), Verdict.REFUSED)
            self.assertEqual(str(failure), "refused: nothing listens at this address")

    def test_unreachable(self) -> None:
        """
        A missing Unix socket, one of another type, and a broadcast or multicast address are
        unreachable.
        """
        missing = str(self.folder / "none")
        for target, description in (
            (Target("unix", missing), "no such file or directory"),
            (Target("unixgram", missing), "no such file or directory"),
            (Target("unix", self.bound("unixgram")[0].address), "protocol wrong type for socket"),
            (Target("unixgram", self.bound("unix")[0].address), "protocol wrong type for socket"),
            (Target("tcp", ("127.255.255.255", 8007)), "network is unreachable"),
            (Target("tcp", ("ff02::1", 8007)), "network is unreachable"),
            (Target("udp", ("127.255.255.255", 8007)), "permission denied"),
        ):
            failure = self.assertFails(self.ask(target), Verdict.UNREACHABLE)
            self.assertEqual(str(failure), f"unreachable: {description}")

    def test_endpointFailures(self) -> None:
        """
        Where an endpoint fails in another way, the peer is unreachable. EPIPE and ETIMEDOUT have verdicts of their own.
        """
        for exception, text in (
            (NoRouteError(), "unreachable: "),
            (NoRouteError(errno.EHOSTUNREACH, "no route"), "unreachable: no route to host"),
            (ConnectBindError(errno.EADDRNOTAVAIL, ""), "unreachable: cannot assign requested address"),
            (OSError(errno.EMFILE, ""), "unreachable: too many open files"),
            (LookupError("no proxy"), "unreachable: no proxy"),
            (LookupError(), "unreachable: LookupError"),
            (NoRouteError(errno.EPIPE, ""), "reset: the peer reset the connection"),
            (NoRouteError(errno.ETIMEDOUT, ""), "timeout: the peer acknowledges nothing"),
        ):
            failing = ask(FailingEndpoint(exception), reactor=self.reactor)
            self.assertSubstring(text, str(self.failureResultOf(failing, RequestFailed).value))

    def test_wrongSource(self) -> None:
        """
        A reply from another port or another address is not the reply, and the failure names its source.
        """
        for host, otherHost in (("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2"), ("::1", "::1")):
            target, remote = self.bound("udp", host)
            otherTarget, other = self.bound("udp", otherHost)
            reply = self.ask(target, b"data", timeout=SHORT_TIMEOUT)
            other.sendto(b"DATA", self.receivedDatagram(remote)[1])
            failure = self.assertFails(reply, Verdict.WRONG_SOURCE)
            self.assertEqual(str(failure), f"wrong-source: a reply came from {str(otherTarget)[6:]}")

    def test_dns(self) -> None:
        """
        A name that does not resolve, or is not valid, fails, over streams and datagrams; datagrams pass no invalid name
        to the resolver.
        """
        resolver = EmptyResolver()
        self.reactor.installNameResolver(resolver)
        for name in ("no.such.invalid", "a" * 64, "two..dots", "-", "not\udce9a.name"):
            endpoint = HostnameEndpoint(self.reactor, name, 8007)
            self.assertFails(ask(endpoint, reactor=self.reactor), Verdict.DNS)
        self.assertEqual(resolver.names[0], "no.such.invalid")
        resolver.names.clear()
        for name in ("no.such.invalid", "a" * 64, "two..dots", "not\udce9a.name"):
            self.assertFails(askDatagram((name, 8007), reactor=self.reactor), Verdict.DNS)
        self.assertEqual(resolver.names, ["no.such.invalid"])

    def test_usage(self) -> None:
        """
        A message longer than a datagram, and a port outside 1 to 65535, are errors of the caller.
        """
        for target, length in ((self.bound("udp")[0], 65508), (self.bound("unixgram")[0], 2**20)):
            failure = self.assertFails(self.ask(target, bytes(length)), Verdict.USAGE)
            self.assertEqual(str(failure), "usage: the message is too long for a datagram")
        for port in (-1, 0, 65536, 65536 + 8007):
            failure = self.assertFails(askDatagram(("127.0.0.1", port), reactor=self.reactor), Verdict.USAGE)
            self.assertEqual(str(failure), f"usage: port {port}: expected 1 to 65535")

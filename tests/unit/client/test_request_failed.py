"""
The failure that belongs to each behaviour of a server's socket, over streams and datagrams.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
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


class StreamTests(ClientCase):
    """
    Tests for requests over TCP and Unix streams.
    """

    def listeners(self) -> list[tuple[Target, socket.socket]]:
        """
        Listen on each kind of stream.
        """
        return [self.listening(), self.listening("tcp", "::1"), self.listening("unix")]

    def request(self, target: Target, listener: socket.socket, **options: Any) -> tuple[Deferred[bytes], socket.socket]:
        """
        Send a request, and read it and the FIN after it.

        @return: the answer, and the accepted connection.
        """
        answer = self.ask(target, b"data", **options)
        remote = self.accepted(listener)
        self.assertEqual(self.receive(remote, 10), b"data")
        return answer, remote

    def test_answers(self) -> None:
        """
        After a FIN the answer is good, missing or short. An answer that differs, or is too long, fails at the first
        wrong byte without waiting for the FIN.
        """
        missing, differs = (
            "eof: the peer closed without an answer",
            "corrupt: the answer differs from the expected one at",
        )
        for target, listener in self.listeners():
            for segments, expect, verdict, description in (
                ([b"DATA"], None, Verdict.OK, ""),
                ([b"DATA"], b"DATA", Verdict.OK, ""),
                ([], None, Verdict.EOF, missing),
                ([], b"DATA", Verdict.EOF, missing),
                ([b"DAT"], b"DATA", Verdict.SHORT, "short: received 3 of 4 bytes"),
                ([b"DAToA"], b"DATA", Verdict.CORRUPT, f"{differs} byte 3"),
                ([b"DATA!"], b"DATA", Verdict.CORRUPT, f"{differs} byte 4"),
                ([b"data"], b"DATA", Verdict.CORRUPT, f"{differs} byte 0"),
                ([b"DA", b"Tx"], b"DATA", Verdict.CORRUPT, f"{differs} byte 3"),
            ):
                answer, remote = self.request(target, listener, expect=expect)
                for segment in segments:
                    remote.send(segment)
                    self.turn(5)
                if verdict is not Verdict.CORRUPT:
                    remote.close()
                if verdict is Verdict.OK:
                    self.assertEqual(self.wait(answer), b"".join(segments))
                else:
                    failure = self.assertFails(answer, verdict)
                    self.assertEqual((str(failure), failure.answer), (description, b"".join(segments)))

    def test_refused(self) -> None:
        """
        A socket that does not listen refuses connections.
        """
        for target, _ in (self.bound("tcp"), self.bound("tcp", "::1"), self.bound("unix")):
            self.assertFails(self.ask(target), Verdict.REFUSED)
        # The abstract namespace has no files, so the kernel cannot report that there is no such socket.
        failure = self.assertFails(self.ask(Target("unix", "@sockservices-none")), Verdict.REFUSED)
        self.assertEqual(str(failure), "refused: nothing listens at this address")

    def test_reset(self) -> None:
        """
        A reset fails the request, before or after the first byte of the answer. A Unix socket resets when it is closed
        with unread data.
        """
        for target, listener in self.listeners()[:2]:
            for sent in (b"", b"DAT"):
                answer, remote = self.request(target, listener, expect=b"DATA")
                remote.send(sent)
                self.turn(5)
                closeWithReset(remote)
                failure = self.assertFails(answer, Verdict.RESET)
                self.assertEqual((str(failure), failure.answer), ("reset: the peer reset the connection", sent))
        target, listener = self.listening("unix")
        answer = self.ask(target, b"data")
        self.accepted(listener).close()
        self.assertFails(answer, Verdict.RESET)

    def test_timeout(self) -> None:
        """
        Without a FIN the request times out, and keeps the answer so far.
        """
        for target, listener in self.listeners():
            failure = self.assertFails(self.ask(target, b"data", timeout=SHORT_TIMEOUT), Verdict.TIMEOUT)
            self.assertEqual(str(failure), "timeout: the answer did not end within 0.05 s")
            self.accepted(listener)
            answer, remote = self.request(target, listener, timeout=SHORT_TIMEOUT)
            remote.send(b"DATA")
            self.assertEqual(self.assertFails(answer, Verdict.TIMEOUT).answer, b"DATA")

    def test_connectTimeout(self) -> None:
        """
        The endpoint's own timeout and that of the request give the same verdict.
        """
        target, listener = self.withFullQueue("tcp")
        host, port = listener.getsockname()
        endpoint = TCP4ClientEndpoint(self.reactor, host, port, timeout=SHORT_TIMEOUT)
        failure = self.assertFails(ask(endpoint, reactor=self.reactor), Verdict.TIMEOUT)
        self.assertEqual(str(failure), "timeout: the connection attempt timed out")
        self.assertFails(self.ask(target, timeout=SHORT_TIMEOUT), Verdict.TIMEOUT)

    def test_unreachable(self) -> None:
        """
        A missing Unix socket, a datagram socket, a full accept queue, a broadcast or a multicast address, and every
        other way in which an endpoint fails, are unreachable. EPIPE and ETIMEDOUT have verdicts of their own.
        """
        for unreachable, description in (
            (Target("unix", str(self.folder / "none")), "no such file or directory"),
            (Target("unix", self.bound("unixgram")[0].address), "protocol wrong type for socket"),
            (self.withFullQueue("unix")[0], "the peer accepts no connection"),
            (Target("tcp", ("127.255.255.255", 8007)), "network is unreachable"),
            (Target("tcp", ("ff02::1", 8007)), "network is unreachable"),
        ):
            failure = self.assertFails(self.ask(unreachable), Verdict.UNREACHABLE)
            self.assertEqual(str(failure), f"unreachable: {description}")
        for exception in (
            NoRouteError(),
            NoRouteError(errno.EHOSTUNREACH, "no route"),
            ConnectBindError(errno.EADDRNOTAVAIL, "no such address"),
            OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
            LookupError("no proxy"),
            LookupError(),
        ):
            self.assertFails(ask(FailingEndpoint(exception), reactor=self.reactor), Verdict.UNREACHABLE)
        for number, verdict, description in (
            (errno.EPIPE, Verdict.RESET, "the peer reset the connection"),
            (errno.ETIMEDOUT, Verdict.TIMEOUT, "the peer acknowledges nothing"),
        ):
            failure = self.assertFails(ask(FailingEndpoint(NoRouteError(number, "")), reactor=self.reactor), verdict)
            self.assertEqual(str(failure), f"{verdict.value}: {description}")

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


class DatagramTests(ClientCase):
    """
    Tests for requests over UDP and Unix datagrams.
    """

    def request(self, target: Target, remote: socket.socket, **options: Any) -> tuple[Deferred[bytes], Any]:
        """
        Send a request, and receive it.

        @return: the reply, and the address to send it to.
        """
        reply = self.ask(target, b"data", **options)
        datagram, source = self.receivedDatagram(remote)
        self.assertEqual(datagram, b"data")
        return reply, source

    def test_replies(self) -> None:
        """
        The verdict compares the reply with the expected one; if none is expected, an empty reply is good.
        """
        for target, remote in (self.bound("udp"), self.bound("udp", "::1"), self.bound("unixgram")):
            for sent, expect, verdict in (
                (b"DATA", None, Verdict.OK),
                (b"DATA", b"DATA", Verdict.OK),
                (b"", None, Verdict.OK),
                (b"", b"", Verdict.OK),
                (b"", b"DATA", Verdict.EOF),
                (b"DAT", b"DATA", Verdict.SHORT),
                (b"DAoA", b"DATA", Verdict.CORRUPT),
                (b"DATA!", b"DATA", Verdict.CORRUPT),
                (b"Da", b"DATA", Verdict.CORRUPT),
            ):
                reply, source = self.request(target, remote, expect=expect)
                remote.sendto(sent, source)
                if verdict is Verdict.OK:
                    self.assertEqual(self.wait(reply), sent)
                else:
                    self.assertEqual(self.assertFails(reply, verdict).answer, sent)
            failure = self.assertFails(self.ask(target, timeout=SHORT_TIMEOUT), Verdict.TIMEOUT)
            self.assertEqual(str(failure), "timeout: no reply within 0.05 s")

    def test_notSent(self) -> None:
        """
        A UDP port without a socket, and the file of a closed Unix socket, refuse. A missing Unix socket, a stream
        socket and a broadcast address are unreachable.
        """
        closed, remote = self.bound("unixgram")
        remote.close()
        for target, verdict in (
            (self.refusing(), Verdict.REFUSED),
            (closed, Verdict.REFUSED),
            (Target("unixgram", str(self.folder / "none")), Verdict.UNREACHABLE),
            (Target("unixgram", self.bound("unix")[0].address), Verdict.UNREACHABLE),
            (Target("udp", ("127.255.255.255", 8007)), Verdict.UNREACHABLE),
        ):
            self.assertFails(self.ask(target, b"data"), verdict)

    def test_wrongSource(self) -> None:
        """
        A reply from another port or another address is not the reply, and the failure names its source.
        """
        for host, otherHost in (("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2"), ("::1", "::1")):
            target, remote = self.bound("udp", host)
            otherTarget, other = self.bound("udp", otherHost)
            reply, source = self.request(target, remote, timeout=SHORT_TIMEOUT)
            other.sendto(b"DATA", source)
            failure = self.assertFails(reply, Verdict.WRONG_SOURCE)
            self.assertEqual(str(failure), f"wrong-source: a reply came from {str(otherTarget)[6:]}")

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

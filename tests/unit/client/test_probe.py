"""
Probes of ports: the state of each, in parallel, with an injected connector and with sockets.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from sockservices.client import Target, Verdict, targets
from sockservices.client.probe import ProbeResult, probeAll
from tests.support.client import SHORT_TIMEOUT, ClientCase, EmptyResolver, SlowResolver


@implementer(IStreamClientEndpoint)
class WaitingEndpoint:
    """
    An endpoint whose connection attempt the test ends.
    """

    def __init__(self, target: Target) -> None:
        self.target = target

    def connect(self, factory: Any) -> Deferred[Any]:
        """
        Keep the factory.
        """
        self.factory = factory
        self.connecting: Deferred[Any] = Deferred()
        return self.connecting

    def accept(self) -> StringTransportWithDisconnection:
        """
        Connect.
        """
        protocol = self.factory.buildProtocol(None)
        transport = StringTransportWithDisconnection()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.connecting.callback(protocol)
        return transport


class ProbeTests(SynchronousTestCase):
    """
    Probes with an injected connector and clock.
    """

    def setUp(self) -> None:
        """
        Make a connector that keeps its endpoints.
        """
        self.clock = Clock()
        self.endpoints: list[WaitingEndpoint] = []

    def makeEndpoint(self, target: Target, reactor: Any) -> WaitingEndpoint:
        """
        Make and keep an endpoint.
        """
        self.endpoints.append(WaitingEndpoint(target))
        return self.endpoints[-1]

    def probe(self, url: str, **options: Any) -> Deferred[list[ProbeResult]]:
        """
        Probe the targets of one URL.
        """
        return probeAll(targets(url), reactor=self.clock, makeEndpoint=self.makeEndpoint, timeout=2.0, **options)

    def test_states(self) -> None:
        """
        A port is open, refuses, or leaves the attempt unanswered; the time is that of the attempt.
        """
        probing = self.probe("tcp://192.0.2.1:8000-8002")
        self.clock.advance(0.25)
        transport = self.endpoints[0].accept()
        self.clock.advance(0.5)
        self.endpoints[1].connecting.errback(ConnectionRefusedError(errno.ECONNREFUSED))
        self.assertNoResult(probing)
        self.clock.advance(1.25)
        results = self.successResultOf(probing)
        self.assertEqual(
            [(str(each.target), each.state, each.seconds) for each in results],
            [
                ("tcp://192.0.2.1:8000", "open", 0.25),
                ("tcp://192.0.2.1:8001", "refused", 0.75),
                ("tcp://192.0.2.1:8002", "no-connection", 2.0),
            ],
        )
        self.assertEqual([each.verdict for each in results], [Verdict.OK, Verdict.REFUSED, Verdict.NO_CONNECTION])
        self.assertEqual(transport.value(), b"")
        self.assertFalse(transport.connected)

    def test_parallel(self) -> None:
        """
        At most the given number of attempts are under way; the results are in the order of the targets.
        """
        reported: list[int] = []
        probing = self.probe("tcp://192.0.2.1:1-5", parallel=2, onResult=lambda index, result: reported.append(index))
        self.assertEqual(len(self.endpoints), 2)
        self.endpoints[1].accept()
        self.assertEqual([each.target.address[1] for each in self.endpoints], [1, 2, 3])
        self.assertEqual(reported, [1])
        for _ in range(3):
            self.clock.advance(2)
        self.assertEqual([each.target.address[1] for each in self.successResultOf(probing)], [1, 2, 3, 4, 5])
        self.assertEqual(sorted(reported), [0, 1, 2, 3, 4])

    def test_cancelled(self) -> None:
        """
        A cancellation ends all attempts.
        """
        probing = self.probe("tcp://192.0.2.1:1-5", parallel=2)
        probing.addErrback(lambda _: None)
        probing.cancel()
        self.assertEqual(len(self.endpoints), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SocketTests(ClientCase):
    """
    Probes of sockets.
    """

    def states(self, *probed: Target) -> list[tuple[str, str]]:
        """
        Probe targets, and give states and descriptions.
        """
        results = self.wait(probeAll(probed, reactor=self.reactor, timeout=SHORT_TIMEOUT * 4))
        return [(each.state, each.description) for each in results]

    def test_streams(self) -> None:
        """
        Over TCP and Unix streams: open, refused, a full queue, no such socket.
        """
        for transport in ("tcp", "unix"):
            self.assertEqual(
                [
                    state
                    for state, _ in self.states(
                        self.listening(transport)[0], self.bound(transport)[0], self.withFullQueue(transport)[0]
                    )
                ],
                ["open", "refused", "no-connection"],
            )
        none = Target("unix", str(self.folder / "none"))
        self.assertEqual(self.states(none), [("unreachable", "no such file or directory")])

    def test_datagrams(self) -> None:
        """
        Over UDP, silence is open or filtered, an ICMP error is closed, and only a reply proves that the port is open.
        """
        silent, _ = self.bound("udp")
        replying, remote = self.bound("udp")
        probing = probeAll([silent, self.refusing(), replying], reactor=self.reactor, timeout=SHORT_TIMEOUT * 4)
        datagram, source = self.receivedDatagram(remote)
        self.assertEqual(datagram, b"")
        remote.sendto(b"words", source)
        self.assertEqual(
            [(each.state, each.verdict, each.description) for each in self.wait(probing)],
            [
                ("open-or-filtered", Verdict.TIMEOUT, "no reply to an empty datagram, and no ICMP error"),
                ("refused", Verdict.REFUSED, "ICMP port unreachable: the port is closed"),
                ("open", Verdict.OK, "a reply of 5 bytes"),
            ],
        )

    def test_unixDatagrams(self) -> None:
        """
        The kernel knows whether a Unix datagram socket exists: nothing is sent.
        """
        target, remote = self.bound("unixgram")
        self.assertEqual([state for state, _ in self.states(target)], ["open"])
        self.assertRaises(BlockingIOError, remote.recv, 100)
        remote.close()
        self.assertEqual([state for state, _ in self.states(target)], ["refused"])

    def test_names(self) -> None:
        """
        A host name is resolved once for all its ports; a name that does not resolve is the state of each.
        """
        resolver = SlowResolver()
        self.reactor.installNameResolver(resolver)
        _, port = self.listening()[1].getsockname()
        probed = [Target("tcp", ("a.name", port)), Target("tcp", ("a.name", port))]
        probing = probeAll(probed, reactor=self.reactor, timeout=1.0)
        resolver.complete(IPv4Address("TCP", "127.0.0.1", port))
        self.assertEqual(
            [(each.target, each.state) for each in self.wait(probing)], [(each, "open") for each in probed]
        )
        empty = EmptyResolver()
        self.reactor.installNameResolver(empty)
        self.assertEqual([state for state, _ in self.states(*probed)], ["dns", "dns"])
        self.assertEqual(empty.names, ["a.name"])


class TargetsTests(SynchronousTestCase):
    """
    Tests for L{targets}.
    """

    def test_ranges(self) -> None:
        """
        A URL stands for one target, or for one of each port of a range.
        """
        for url, expected in (
            ("tcp://127.0.0.1:7", ["tcp://127.0.0.1:7"]),
            ("tcp://127.0.0.1:7-7", ["tcp://127.0.0.1:7"]),
            ("udp://[::1]:7-9", ["udp://[::1]:7", "udp://[::1]:8", "udp://[::1]:9"]),
            ("tcp://a-1.name:8000-8001/", ["tcp://a-1.name:8000", "tcp://a-1.name:8001"]),
            ("unix:///run/echo:7-9", ["unix:///run/echo:7-9"]),
        ):
            self.assertEqual([str(each) for each in targets(url)], expected)

    def test_errors(self) -> None:
        """
        A wrong range is an error that names it.
        """
        for url, text in (
            ("tcp://h:9-7", "tcp://h:9-7: ports 9-7: expected FIRST-LAST, FIRST at most LAST"),
            ("tcp://h:0-7", "tcp://h:0-7: port 0: expected 1 to 65535"),
            ("tcp://h:7-65536", "tcp://h:7-65536: port 65536: expected 1 to 65535"),
            ("tcp://h:-7", "tcp://h:-7: port -7: expected 1 to 65535, or a range such as 20-25"),
            ("udp://h:22,80", "udp://h:22,80: port 22,80: expected 1 to 65535, or a range such as 20-25"),
            ("tcp://h", "tcp://h: expected HOST:PORT; put an IPv6 address in brackets"),
            ("tcp://::1:7-9", "tcp://::1:7-9: expected HOST:PORT; put an IPv6 address in brackets"),
        ):
            self.assertEqual(str(self.assertRaises(ValueError, targets, url)), text)

"""
What a service manager is told.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.server.sd_notify import SystemdNotifier


class NotifyTests(SynchronousTestCase):
    """
    A service manager that listens on a socket.
    """

    def setUp(self) -> None:
        """
        Listen.
        """
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.setblocking(False)
        self.address = str(Path(folder.name) / "notify")
        self.manager.bind(self.address)
        self.clock = Clock()

    def states(self) -> list[bytes]:
        """
        What has been said.
        """
        states = []
        while True:
            try:
                states.append(self.manager.recv(100))
            except BlockingIOError:
                return states

    def test_eachChangeIsSaid(self) -> None:
        """
        Ready and stopping, and no sign of life that nobody asked for.
        """
        notify = SystemdNotifier(self.clock, {"NOTIFY_SOCKET": self.address})
        notify.ready()
        notify.stopping()
        notify.stopped()
        self.assertEqual([b"READY=1", b"STOPPING=1"], self.states())
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_signsOfLifeComeTwiceAsOftenAsAsked(self) -> None:
        """
        Until it has stopped, and not only until it begins to.
        """
        asked = {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}
        notify = SystemdNotifier(self.clock, asked)
        notify.ready()
        self.clock.pump([5, 5])
        notify.stopping()
        self.clock.advance(5)
        self.assertEqual([b"READY=1", *[b"WATCHDOG=1"] * 3, b"STOPPING=1", b"WATCHDOG=1"], self.states())
        notify.stopped()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_anAbstractAddressIsUnderstood(self) -> None:
        """
        One that begins with @.
        """
        name = f"sockservices-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0{name}")
            manager.setblocking(False)
            SystemdNotifier(self.clock, {"NOTIFY_SOCKET": f"@{name}"}).ready()
            self.assertEqual(b"READY=1", manager.recv(100))

    def test_nobodyAsked(self) -> None:
        """
        Nothing is sent, and no timer runs.
        """
        notify = SystemdNotifier(self.clock, {"WATCHDOG_USEC": "10000000"})
        notify.ready()
        notify.stopped()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_aManagerThatIsGoneIsNoFault(self) -> None:
        """
        Nothing is raised.
        """
        self.manager.close()
        SystemdNotifier(self.clock, {"NOTIFY_SOCKET": self.address}).ready()

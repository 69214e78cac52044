"""
Notifications to the service manager.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.server.sd_notify import SystemdNotifier


class NotifyTests(SynchronousTestCase):
    """
    L{SystemdNotifier}, with a service manager that reads a socket.
    """

    def setUp(self) -> None:
        """
        Bind the service manager's socket.
        """
        self.manager = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.manager.setblocking(False)
        self.address = str(Path(self.enterContext(TemporaryDirectory())) / "notify")
        self.manager.bind(self.address)
        self.clock = Clock()

    def states(self) -> list[bytes]:
        """
        The states received since the last call.
        """
        states = []
        while True:
            try:
                states.append(self.manager.recv(100))
            except BlockingIOError:
                return states

    def test_changes(self) -> None:
        """
        Ready and stopping are sent. No keep-alives are sent without WATCHDOG_USEC, or with one that is no positive
        number of at most 64 bits. Without NOTIFY_SOCKET nothing is sent.
        """
        for microseconds in (None, "soon", "0", "-1", "\u0661", "18446744073709551616", "9" * 5000):
            environment = {} if microseconds is None else {"WATCHDOG_USEC": microseconds}
            notifier = SystemdNotifier(self.clock, environment | {"NOTIFY_SOCKET": self.address})
            notifier.ready()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            notifier.stopping()
            notifier.stopped()
            self.assertEqual(self.states(), [b"READY=1", b"STOPPING=1"])
        notifier = SystemdNotifier(self.clock, {"WATCHDOG_USEC": "10000000"})
        notifier.ready()
        notifier.stopped()
        self.assertEqual((self.states(), self.clock.getDelayedCalls()), ([], []))

    def test_reload(self) -> None:
        """
        The begin of a reload is sent with the time of CLOCK_MONOTONIC in microseconds; its end is the ready state.
        """
        notifier = SystemdNotifier(self.clock, {"NOTIFY_SOCKET": self.address})
        before = time.monotonic()
        notifier.reloading()
        notifier.reloaded()
        begin, end = self.states()
        state, microseconds = begin.split(b"\nMONOTONIC_USEC=")
        self.assertEqual((state, end), (b"RELOADING=1", b"READY=1"))
        self.assertTrue(before - 1e-6 <= int(microseconds) / 1e6 <= time.monotonic())

    def test_keepAlives(self) -> None:
        """
        Keep-alives are sent at half of the interval, until the server has stopped.
        """
        environment = {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}
        notifier = SystemdNotifier(self.clock, environment)
        notifier.ready()
        self.clock.pump([5, 5])
        notifier.stopping()
        self.clock.advance(5)
        self.assertEqual(self.states(), [b"READY=1", *[b"WATCHDOG=1"] * 3, b"STOPPING=1", b"WATCHDOG=1"])
        notifier.stopped()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_abstractAddress(self) -> None:
        """
        An address that begins with C{@} is in the abstract namespace.
        """
        name = f"sockservices-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0{name}")
            manager.setblocking(False)
            SystemdNotifier(self.clock, {"NOTIFY_SOCKET": f"@{name}"}).ready()
            self.assertEqual(manager.recv(100), b"READY=1")

    def test_closedSocket(self) -> None:
        """
        A notification to a closed socket raises nothing.
        """
        self.manager.close()
        SystemdNotifier(self.clock, {"NOTIFY_SOCKET": self.address}).ready()

"""
Tells the service manager how the server is (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.task import LoopingCall

__all__ = ["SystemdNotifier"]


class SystemdNotifier:
    """
    Sends a service manager that wants to know one datagram for each change, and the sign of life that it asks for.
    """

    def __init__(self, reactor: Any, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._alive = LoopingCall(self.send, "WATCHDOG=1")
        self._alive.clock = reactor
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        asked = environ.get("WATCHDOG_USEC", "")
        self._microseconds = int(asked) if ours and asked.isdecimal() else 0

    def send(self, state: str) -> None:
        """
        Send a state; nobody who listens, nothing sent.
        """
        if self._address:
            # A service manager that is gone, or does not read, is no reason to serve no more.
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
                notifier.setblocking(False)
                notifier.sendto(state.encode(), self._address)

    def ready(self) -> None:
        """
        The server serves. From now on a sign of life is sent twice as often as it is asked for.
        """
        self.send("READY=1")
        if self._address and self._microseconds:
            self._alive.start(self._microseconds / 2_000_000)

    def stopping(self) -> None:
        """
        The server has begun to stop. It goes on giving signs of life.
        """
        self.send("STOPPING=1")

    def stopped(self) -> None:
        """
        The server has stopped.
        """
        if self._alive.running:
            self._alive.stop()

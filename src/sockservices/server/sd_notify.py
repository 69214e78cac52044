"""
Notifies the service manager of the server's state (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["SystemdNotifier"]

#: systemd's usec_t has 64 bits.
MAX_MICROSECONDS = 2**64 - 1


class SystemdNotifier:
    """
    Sends one datagram for each change of state to C{NOTIFY_SOCKET}, and the keep-alive of C{WATCHDOG_USEC}.

    @ivar watchdogSeconds: the interval of the watchdog; 0 when there is none.
    @ivar healthy: called before each keep-alive, which is sent only if it returns L{True}.
    """

    def __init__(self, reactor: IReactorTime, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._keepAlive = LoopingCall(self._sendKeepAlive)
        self._keepAlive.clock = reactor
        self.watchdogSeconds = _watchdogSeconds(environ)
        self.healthy: Callable[[], bool] = lambda: True

    def send(self, state: str) -> None:
        """
        Send a state. Do nothing without C{NOTIFY_SOCKET}.

        @param state: an assignment of sd_notify(3), such as C{READY=1}.
        """
        if self._address:
            # The server goes on when the service manager is gone or does not read.
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
                notifier.setblocking(False)
                notifier.sendto(state.encode(), self._address)

    def ready(self) -> None:
        """
        Send that the server serves. From now on send keep-alives at half of the interval, as sd_watchdog_enabled(3)
        recommends.
        """
        self.send("READY=1")
        if self._address and self.watchdogSeconds:
            self._keepAlive.start(self.watchdogSeconds / 2)

    def _sendKeepAlive(self) -> None:
        if self.healthy():
            self.send("WATCHDOG=1")

    def reloading(self) -> None:
        """
        Send that the server has begun to reload. L{reloaded} must follow.
        """
        # systemd 253 and later compare the time with that of their request (sd_notify(3)).
        self.send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """
        Send that the server has reloaded, or continues as it was.
        """
        self.send("READY=1")

    def stopping(self) -> None:
        """
        Send that the server has begun to stop. Keep-alives go on.
        """
        self.send("STOPPING=1")

    def stopped(self) -> None:
        """
        End the keep-alives.
        """
        if self._keepAlive.running:
            self._keepAlive.stop()


def _watchdogSeconds(environ: Mapping[str, str]) -> float:
    """
    @return: the interval in seconds; 0 when there is none, it is another process's, or it is no number of 64 bits.
    """
    text = environ.get("WATCHDOG_USEC", "")
    pid = str(os.getpid())
    # int() raises for more than 4300 digits.
    if environ.get("WATCHDOG_PID", pid) != pid or not (text.isascii() and text.isdecimal() and len(text) <= 20):
        return 0.0
    microseconds = int(text)
    return microseconds / 1e6 if microseconds <= MAX_MICROSECONDS else 0.0

"""
The options C{--fault} and C{--seed}.
"""

from __future__ import annotations

import contextlib
import io

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from sockservices.faults import Latency, Loss, Refuse
from sockservices.server.config import ServerConfig
from sockservices.server.fault_options import faultNotice
from sockservices.server.options import Options
from tests.support.shell import outputMatches

#: Options, and the message of the error. The listeners are echo on TCP.
INVALID = [
    ("--fault los,rate=5%", "--fault los,rate=5%: no fault 'los': expected bandwidth, corrupt, ..."),
    ("--fault loss", "--fault loss: expected loss,rate=...: 0 to 1, or a percentage such as 5%"),
    ("--fault latency,dely=1", "--fault latency,dely=1: no key 'dely': latency takes delay, jitter, direction, ..."),
    (
        "--fault latency,delay=-1",
        "--fault latency,delay=-1: latency: delay=-1: expected seconds from 0 to 1000000000",
    ),
    ("--fault loss,rate=5%", "--fault loss,rate=5%: expected a listener for datagrams (udp, unixgram)"),
    ("--fault echo:loss,rate=5%", "--fault echo:loss,rate=5%: expected a listener for datagrams (udp, unixgram)"),
    ("--fault upper:refuse", "--fault upper:refuse: 'upper' is not served; expected echo"),
    ("--fault :refuse", "--fault :refuse: '' is not served; expected echo"),
    ("--proto udp --fault refuse", "--fault refuse: expected a listener for connections (tcp, unix)"),
    ("--seed seven", "--seed seven: expected an integer"),
    ("--seed 1.5", "--seed 1.5: expected an integer"),
    ("--seed 7", "--seed 7: expected --fault as well"),
]


def parsed(text: str) -> ServerConfig:
    """
    The configuration that options ask for.
    """
    options = Options()
    options.parseOptions(text.split())
    return options.config


class FaultOptionTests(SynchronousTestCase):
    """
    Tests for C{--fault} and C{--seed}.
    """

    def test_invalid(self) -> None:
        """
        An error is one line, which names the option, its value and what is expected.
        """
        for text, message in INVALID:
            with contextlib.redirect_stderr(io.StringIO()):
                error = self.assertRaises(UsageError, parsed, f"--service echo {text}")
            self.assertTrue(outputMatches(message, str(error)), str(error))

    def test_listeners(self) -> None:
        """
        A fault is on every listener that can have it, or on those of its service, in the order of the options.
        """
        config = parsed(
            "--proto all --service echo --service upper --listen time=unix:/t --listen hello=tcp6:0:interface=\\:\\:1 "
            "--fault latency,delay=0.1 --fault loss,rate=5% --fault echo:refuse,first=3"
        )
        latency, loss, refuse = Latency(0.1), Loss(0.05), Refuse(first=3)
        self.assertEqual(
            [(listener.name, listener.faults) for listener in config.listeners],
            [
                ("echo", (latency, refuse)),
                ("echo", (latency, loss)),
                ("upper", (latency,)),
                ("upper", (latency, loss)),
                ("time", (latency,)),
                ("hello", (latency,)),
            ],
        )

    def test_inheritedSockets(self) -> None:
        """
        The sockets of a service manager may be of any kind.
        """
        config = parsed("--listen echo=systemd:name --fault loss,rate=5% --fault refuse")
        self.assertEqual(config.listeners[0].faults, (Loss(0.05), Refuse()))

    def test_seed(self) -> None:
        """
        The seed is any integer; there is none by default.
        """
        seeds = [parsed(f"--fault refuse {text}").seed for text in ("--seed 7", "--seed -1", "")]
        self.assertEqual(seeds, [7, -1, None])

    def test_notice(self) -> None:
        """
        The line of the log repeats the options, with the seed.
        """
        config = parsed("--proto all --service echo --fault loss,rate=5% --fault latency,delay=1,direction=in")
        self.assertEqual(
            faultNotice(config.listeners, 7),
            "faults: --fault echo:loss,rate=0.05 --fault echo:latency,delay=1,direction=in --seed 7",
        )
        self.assertEqual(faultNotice(parsed("--service echo").listeners, 7), "")

    def test_noticeRepeatsTheFaults(self) -> None:
        """
        The options of the notice give each listener the same faults in the same order, on which their random numbers
        depend.
        """
        for text in (
            "--fault latency,delay=1 --fault latency,delay=1",
            "--fault loss,rate=30% --fault latency,delay=1 --fault slice,size=1",
            "--fault slice,size=1 --fault latency,delay=1 --fault loss,rate=30% --fault refuse",
            "--fault upper:loss,rate=30% --fault corrupt,rate=1% --fault refuse --fault echo:latency,delay=1",
            "--fault corrupt,rate=1% --fault loss,rate=1% --fault corrupt,rate=1% --fault refuse",
        ):
            services = "--proto all --service echo --service upper --listen time=systemd:name "
            listeners = parsed(services + text).listeners
            again = parsed(services + faultNotice(listeners, 7).removeprefix("faults: ")).listeners
            self.assertEqual([each.faults for each in again], [each.faults for each in listeners], text)

"""
The options of the server command.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.application.app import ServerOptions
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Policy, __version__
from sockservices.conversation.transport import Transport
from sockservices.registry import find, names
from sockservices.server.options import Options
from sockservices.text.values import printable
from sockservices.transports.bindings import Binding, InetBinding, SystemdBinding, UnixBinding
from tests.support.twistd import environment

TCP, UDP, UNIX, UNIXGRAM = Transport

#: Command lines, with their services and bindings.
LISTENERS: list[tuple[str, list[tuple[str, Binding | str]]]] = [
    ("", [("echo", InetBinding(TCP, 8007)), ("upper", InetBinding(TCP, 8080)), ("welcome", InetBinding(TCP, 8001))]),
    ("--proto tcp --service echo", [("echo", InetBinding(TCP, 8007))]),
    ("--service echo --interface [::1]", [("echo", InetBinding(TCP, 8007, "::1"))]),
    ("--proto udp --service echo", [("echo", InetBinding(UDP, 8007))]),
    ("--proto all --service time=0", [("time", InetBinding(TCP, 0)), ("time", InetBinding(UDP, 0))]),
    ("--service echo=7 --service time", [("echo", InetBinding(TCP, 7)), ("time", InetBinding(TCP, 8037))]),
    ("--service=echo --interface=::", [("echo", InetBinding(TCP, 8007, "::"))]),
    (
        "--interface 127.0.0.1 --interface ::1 --service echo=9 --proto all",
        [("echo", InetBinding(kind, 9, host)) for host in ("127.0.0.1", "::1") for kind in (TCP, UDP)],
    ),
    ("--listen echo=tcp:7", [("echo", InetBinding(TCP, 7))]),
    ("--listen echo=udp:7:interface=0.0.0.0", [("echo", InetBinding(UDP, 7, "0.0.0.0"))]),
    ("--listen echo=unix:/run/echo:mode=660", [("echo", UnixBinding(UNIX, "/run/echo", 0o660))]),
    ("--listen echo=unixgram:@echo", [("echo", UnixBinding(UNIXGRAM, "@echo"))]),
    ("--listen echo=systemd:echo", [("echo", SystemdBinding("echo"))]),
    ("--listen echo=haproxy:tcp:7", [("echo", InetBinding(TCP, 7, proxyHeader=True))]),
    ("--listen echo=haproxy:ssl:7", [("echo", "haproxy:ssl:7")]),
    ("--listen time=unix:/a --listen echo=tcp:7", [("time", UnixBinding(UNIX, "/a")), ("echo", InetBinding(TCP, 7))]),
    ("--listen time=unix:/a --service echo=7", [("echo", InetBinding(TCP, 7)), ("time", UnixBinding(UNIX, "/a"))]),
]

#: Options, and the fields of the policy that they set.
LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("--timeout 2.5", {"timeout": 2.5}),
    ("--timeout 0", {"timeout": 0.0}),
    ("--max-connections 7", {"maxConnections": 7}),
    ("--max-per-source 0", {"maxPerSource": 0}),
    ("--max-rate 9", {"maxRate": 9}),
    ("--idle-timeout 1e3", {"idleTimeout": 1000.0}),
    ("--stall-timeout .5", {"stallTimeout": 0.5}),
    ("--close-grace 1", {"closeGrace": 1.0}),
    ("--drain 0", {"drain": 0.0}),
    ("--udp-rate 3", {"udpRate": 3}),
    ("--udp-max 512", {"udpMax": 512}),
    ("--udp-rfc-size", {"udpRfcSize": True}),
    ("--drain 1 --drain 2", {"drain": 2.0}),
    ("--max-rate 1 --udp-rate 2", {"maxRate": 1, "udpRate": 2}),
]

#: Invalid command lines, and a pattern for the error: the option, the value, and what is expected.
INVALID = [
    ("--proto sctp", "--proto sctp: expected tcp, udp or all"),
    ("--proto TCP", "--proto TCP: expected tcp, udp or all"),
    ("--proto=", "--proto : expected tcp, udp or all"),
    ("--proto", "--proto requires argument"),
    ("--service telnet", "--service telnet: .*'telnet'.* chargen, daytime, .*, whoami"),
    ("--service Echo", "--service Echo: .*'Echo'.* echo"),
    ("--service echo,time", "--service echo,time: .* echo"),
    ("--service=", "--service : .* echo"),
    ("--service =7", "--service =7: .* echo"),
    ("--service echo=", "--service echo=: port ''.* 0 to 65535"),
    ("--service echo=abc", "--service echo=abc: port 'abc'.* 0 to 65535"),
    ("--service echo=-1", "--service echo=-1: port '-1'.* 0 to 65535"),
    ("--service echo=70000", "--service echo=70000: port '70000'.* 0 to 65535"),
    ("--service echo=8007=9", "--service echo=8007=9: port '8007=9'.* 0 to 65535"),
    ("--service all=abc", "--service all=abc: port 'abc'.* 0 to 65535"),
    ("--service", "--service requires argument"),
    ("--interface localhost", "--interface localhost: .*IP address.* 127.0.0.1"),
    ("--interface 127.0.0.256", "--interface 127.0.0.256: .*IP address"),
    ("--interface *", r"--interface \*: .*IP address"),
    ("--interface 127.0.0.0/8", "--interface 127.0.0.0/8: .*IP address"),
    ("--interface=", "--interface : .*IP address"),
    ("--listen echo", "--listen echo: expected NAME=ENDPOINT.* echo=tcp:8007"),
    ("--listen tcp:8007", "--listen tcp:8007: expected NAME=ENDPOINT"),
    ("--listen telnet=tcp:23", "--listen telnet=tcp:23: .*'telnet'.* echo"),
    ("--listen echo=tcp", "--listen echo=tcp: .*port is missing"),
    ("--listen echo=tcp:abc", "--listen echo=tcp:abc: port 'abc'.* 0 to 65535"),
    ("--listen echo=udp:70000", "--listen echo=udp:70000: port '70000'.* 0 to 65535"),
    ("--listen echo=tcp:7:interface=lo", "--listen echo=tcp:7:interface=lo: interface 'lo'.*IP address"),
    ("--listen echo=tcp:7:interface=::1", "--listen echo=tcp:7:interface=::1: .*expected NAME=VALUE"),
    ("--listen echo=tcp:7:mode=600", "--listen echo=tcp:7:mode=600: 'mode'"),
    ("--listen echo=unix:", "--listen echo=unix:: path ''"),
    ("--listen echo=unix:/a:mode=rw-", "--listen echo=unix:/a:mode=rw-: mode 'rw-'.*three octal digits.* 660"),
    (f"--listen echo=unix:/{107 * 'a'}", "--listen echo=unix:/a+: path .*at most 107 bytes"),
    ("--listen echo=systemd", "--listen echo=systemd: .*name is missing"),
    ("--timeout abc", "--timeout abc: expected a number of seconds"),
    ("--timeout=", "--timeout : expected a number of seconds"),
    ("--timeout=-1", "--timeout -1: expected a number of seconds.* from 0"),
    ("--drain nan", "--drain nan: expected a number of seconds"),
    ("--idle-timeout inf", "--idle-timeout inf: expected a number of seconds"),
    ("--stall-timeout 1s", "--stall-timeout 1s: expected a number of seconds"),
    ("--close-grace 1,5", "--close-grace 1,5: expected a number of seconds"),
    ("--max-connections 1.5", "--max-connections 1.5: expected an integer of connections"),
    ("--max-connections=-1", "--max-connections -1: expected an integer of connections.* from 0"),
    ("--max-per-source none", "--max-per-source none: expected an integer of connections"),
    ("--max-rate 1e3", "--max-rate 1e3: expected an integer of new connections per second"),
    ("--udp-rate 0x5", "--udp-rate 0x5: expected an integer of replies per second"),
    ("--udp-max 1k", "--udp-max 1k: expected an integer of bytes"),
    ("--udp-rfc-size=yes", "--udp-rfc-size must not have an argument"),
    ("--listen echo=tcp:7 --interface ::1", "--interface: expected --service .*; a --listen takes :interface=ADDRESS"),
    ("--journal a --ports-file a", "--journal .*/a: expected another file than that of --ports-file"),
    ("--listen echo=unix:@a:mode=600", "mode '600': expected none for @a: an abstract socket has no permissions"),
    ("--log-format xml", "--log-format xml: expected text or json"),
    ("--port 8007", "--port not recognized"),
    ("-p 8007", "-p not recognized; see --help"),
    ("--idel-timeout 3", "--idel-timeout not recognized; did you mean --idle-timeout\\?"),
    ("--services echo", "--services not recognized; did you mean --service\\?"),
    ("--verbose", "--verbose not recognized; see --help"),
    ("help", "'help': expected an option, such as --service echo; see --help"),
    ("echo", "'echo': expected an option, .*--service echo"),
    ("--show echo", "'echo': expected an option, .*--service echo"),
]

#: The fields of a policy that are numbers, by their options.
NUMBERS = {line.split()[0][2:]: next(iter(limits)) for line, limits in LIMITS[:11]}

#: All other options.
OPTIONS = [
    "fault",
    "seed",
    "workers",
    "ports-file",
    "journal",
    "trusted",
    "proto",
    "service",
    "script",
    "interface",
    "listen",
    "show",
    "log-format",
    "plain",
    "udp-rfc-size",
    "version",
    "help",
]


def parsed(line: str, parent: Any = None) -> Options:
    """
    Parse a command line.

    @param parent: the options of the parent command.
    """
    options = Options()
    if parent is not None:
        options.parent = parent
    options.parseOptions(line.split())
    return options


class ListenersTests(SynchronousTestCase):
    """
    The listeners of a command line.
    """

    def test_commandLines(self) -> None:
        """
        Each command line gives these listeners.
        """
        for line, expected in LISTENERS:
            listeners = [(each.name, each.binding) for each in parsed(line).config.listeners]
            self.assertEqual(listeners, expected, line)

    def test_allServices(self) -> None:
        """
        C{all} stands for every service, on its own port or on any, and can be combined with one service.
        """
        listeners = parsed("--service all").config.listeners
        self.assertEqual([each.binding for each in listeners], [InetBinding(TCP, find(name).port) for name in names()])
        self.assertEqual([each.name for each in listeners], names())
        self.assertEqual({each.binding for each in parsed("--service all=0").config.listeners}, {InetBinding(TCP, 0)})
        self.assertEqual(len(parsed("--service all --service echo=7").config.listeners), len(names()) + 1)

    def test_listenerNamesItsOption(self) -> None:
        """
        A listener has the option that it comes from, for error messages. Two Options objects share no state.
        """
        for _ in range(2):
            listeners = parsed("--service echo=7 --listen time=unix:/a").config.listeners
            self.assertEqual([each.origin for each in listeners], ["--service echo=7", "--listen time=unix:/a"])


class PolicyTests(SynchronousTestCase):
    """
    The policy of a command line.
    """

    def test_everyLimitHasAnOption(self) -> None:
        """
        Each field of a policy has an option. Without options the policy is the default of the library.
        """
        for line, limits in [("", {}), *LIMITS]:
            self.assertEqual(parsed(line).config.listeners[0].policy, Policy(**limits), line)
        options = {name for _, limits in LIMITS for name in limits}
        self.assertEqual(options, set(Policy.__dataclass_fields__))

    @settings(deadline=None)
    @given(st.sampled_from(list(NUMBERS)), st.text(alphabet="0123456789.e-+_infa \u0663") | st.text())
    def test_anyText(self, option: str, text: str) -> None:
        """
        Any text for a number is accepted, or rejected in one printable line.
        """
        options = Options()
        try:
            options.parseOptions([f"--{option}={text}"])
        except UsageError as error:
            self.assertIn(f"--{option} {printable(text)}: ", str(error))
            self.assertTrue(str(error).isprintable())
        else:
            self.assertGreaterEqual(getattr(options.config.listeners[0].policy, NUMBERS[option]), 0)

    def test_show(self) -> None:
        """
        C{--show} turns tracing on.
        """
        self.assertEqual([bool(parsed(line)["show"]) for line in ("", "--show")], [False, True])


class InvalidOptionTests(SynchronousTestCase):
    """
    Invalid command lines.
    """

    def test_oneErrorLine(self) -> None:
        """
        An invalid command line ends in one line: a UsageError, or under twistd the exit of the process.
        """
        for line, message in INVALID:
            error = self.assertRaises(UsageError, parsed, line)
            self.assertRegex(str(error), message, line)
            code: Any = self.assertRaises(SystemExit, parsed, line, ServerOptions()).code
            self.assertEqual(code, f"sockservices: {error}")
            self.assertNotIn("\n", code)

    def test_emptyValues(self) -> None:
        """
        An empty argument is rejected.
        """
        for parent, error in ((None, UsageError), (ServerOptions(), SystemExit)):
            options = Options()
            options.parent = parent
            self.assertRaises(error, options.parseOptions, [""])

    def test_undecodableValues(self) -> None:
        """
        Values that are not valid UTF-8 are rejected, except in a path.
        """
        for option in ("--service", "--proto", "--interface", "--timeout", "--listen"):
            self.assertRaises(UsageError, Options().parseOptions, [option, os.fsdecode(b"\xff\n")])
        options = Options()
        options.parseOptions(["--listen", "echo=unix:/run/" + os.fsdecode(b"\xff")])
        self.assertEqual(options.config.listeners[0].binding, UnixBinding(UNIX, os.fsdecode(b"/run/\xff")))

    def test_logFormatNeedsTwistd(self) -> None:
        """
        C{--log-format} exists under twistd only: twist has its own option.
        """
        self.assertRaises(UsageError, parsed, "--log-format json")
        self.assertEqual(parsed("--log-format json", ServerOptions())["log-format"], "json")
        parsed("--log-format text")


class HelpTests(SynchronousTestCase):
    """
    C{--help}, C{--version} and completion.
    """

    def test_helpListsEveryOption(self) -> None:
        """
        The help lists every option, and every service with its port. There are no other options.
        """
        text = str(Options())
        for option in [*OPTIONS, *NUMBERS]:
            self.assertRegex(text, rf"(?m)^\s+(-\w, )?--{option}\b")
        for name in names():
            self.assertIn(f"{name} ({find(name).port})", " ".join(text.split()))
        self.assertEqual({option.rstrip("=") for option in Options().longOpt}, {*OPTIONS, *NUMBERS})

    def test_version(self) -> None:
        """
        C{--version} prints the version of the package.
        """
        with contextlib.redirect_stdout(io.StringIO()) as out, self.assertRaises(SystemExit) as exit:
            parsed("--version")
        self.assertEqual((out.getvalue(), exit.exception.code), (f"sockservices {__version__}\n", 0))

    def test_completion(self) -> None:
        """
        Zsh completes options and their values.
        """
        run = "from twisted.scripts.twistd import run; run()"
        command = [sys.executable, "-c", run, "sockservices", "--_shell-completion", "zsh:3"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=True)
        self.assertEqual(done.stderr, "")
        for option in [*OPTIONS, *NUMBERS]:
            self.assertRegex(done.stdout, rf"--{option}\b")
        self.assertIn("(tcp udp all)", done.stdout)
        for option in ("service", "interface", "listen"):
            self.assertIn(f"'*--{option}=", done.stdout)

"""
Errors in the command lines of C{sockservices}.
"""

from __future__ import annotations

import re
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.commands import run
from sockservices.conformance import PORTS

URL = "tcp://127.0.0.1:7"
HOST = "127.0.0.1"
HOST_EXPECTED = "expected a host name or an IP address; ports go into --ports"
TIMEOUT_EXPECTED = "expected a number of seconds above 0, up to 1000000000"

#: Wrong command lines, and the beginnings of their messages.
WRONG: list[tuple[list[str], str]] = [
    (["ask"], "Missing argument 'URL'"),
    (
        ["ask", "127.0.0.1:7"],
        "127.0.0.1:7: expected tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH",
    ),
    (["ask", "udp://127.0.0.1:65536"], "udp://127.0.0.1:65536: port 65536: expected 1 to 65535"),
    *(
        (["ask", URL, "--hex", value], f"--hex {shown}: expected two hexadecimal digits for each byte, such as 31")
        for value, shown in (("3", "3"), ("é", r"'\xe9'"), ("3 1", "'3 1'"))
    ),
    *(
        (["ask", URL, "1", "--timeout", value], f"--timeout {shown}: {TIMEOUT_EXPECTED}")
        for value, shown in (
            *((value, value) for value in ("0", "-1", "nan", "inf", "1e10", "soon")),
            *(("", "''"), ("1\x1b[31m", r"'1\x1b[31m'")),
        )
    ),
    (["ask", URL, "1", "--timeout"], "Option '--timeout' requires an argument"),
    (["ask", URL, "1", "2"], "Got unexpected extra argument (2)"),
    (["ask", URL, "--hexadecimal", "31"], "No such option"),
    (["ask", URL, "1", "--hex", "31"], "MESSAGE and --hex: expected one of them, got both"),
    *(
        (["chat", URL, *option.split()], f"{option}: {TIMEOUT_EXPECTED}")
        for option in ("--wait nan", "--wait 1e300", "--timeout 0")
    ),
    (["ping", URL, "--timeout", "0"], f"--timeout 0: {TIMEOUT_EXPECTED}"),
    *(
        (["ping", URL, "--count", value], f"--count {value}: expected a whole number from 1 to 1000000000")
        for value in ("0", "1.5", "many")
    ),
    *(
        (["ping", URL, "--interval", value], f"--interval {value}: expected a number of seconds from 0 to 1000000000")
        for value in ("-1", "nan", "1e10")
    ),
    (["check"], "Missing argument 'HOST'"),
    (["check", "tcp://127.0.0.1"], f"tcp://127.0.0.1: {HOST_EXPECTED}"),
    (["check", "127.0.0.1:8007"], f"127.0.0.1:8007: {HOST_EXPECTED}"),
    (["check", ""], f"'': {HOST_EXPECTED}"),
    (["check", HOST, "--timeout=0"], f"--timeout 0: {TIMEOUT_EXPECTED}"),
    *(
        (["check", HOST, f"--ports={ports}"], f"--ports {message}")
        for ports, message in (
            ("gopher=70", f"gopher=70: expected one of these services: {', '.join(sorted(PORTS))}"),
            ("echo", "echo: expected rfc or NAME=PORT,..."),
            ("", "'': expected rfc or NAME=PORT,..."),
            ("echo=7,", "'': expected rfc or NAME=PORT,..."),
            ("echo=0", "echo=0: expected a port from 1 to 65535"),
            ("echo=65536", "echo=65536: expected a port from 1 to 65535"),
            ("echo=\N{SUPERSCRIPT TWO}", r"'echo=\xb2': expected a port from 1 to"),
            ("echo=7,echo=8", "echo=8: expected one port for echo, got two"),
        )
    ),
]


class UsageErrorTests(SynchronousTestCase):
    """
    Tests for wrong arguments and options.
    """

    def test_messages(self) -> None:
        """
        An error is one line, with the command, the option, the value and what was expected, and exit status 64.
        """
        for arguments, message in WRONG:
            with self.subTest(arguments=arguments):
                with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
                    status = run(arguments)
                self.assertEqual((status, out.getvalue()), (64, ""))
                name = f"sockservices {arguments[0]}"
                self.assertRegex(err.getvalue(), rf"\A{name}: {re.escape(message)}.*; see {name} --help\n\Z")

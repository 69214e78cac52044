"""
The options of the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from twisted.application.app import ServerOptions
from twisted.python import usage

from sockservices import __version__
from sockservices.admission.addresses import network
from sockservices.monitoring.log import FORMATS
from sockservices.registry import registered
from sockservices.server.config import ServerConfig
from sockservices.server.fault_options import seedOf, withFaults
from sockservices.server.listener_options import PROTOS, listenersOf
from sockservices.server.option_hints import withHint
from sockservices.server.policy_options import policyOf, policyParameters
from sockservices.server.twistd import InvalidCommandLine, checkTwistdOptions, exitWithError
from sockservices.server.workers_option import checkWorkers, workersOf
from sockservices.text.values import printable

__all__ = ["Options"]


class Options(usage.Options):
    """
    The options of C{twistd sockservices}.

    @ivar config: the server that the options configure.
    @ivar arguments: the options as they were given.
    @cvar ownLinesOnly: whether the log has no lines of twistd.
    """

    ownLinesOnly = False

    synopsis = "[options]"
    longdesc = (
        "Serves the small services of every socket tutorial and every inetd: echo, upper, welcome, and their family. "
        "Limits: 0 switches one off. "
        "ENDPOINT: tcp:PORT or udp:PORT, with :interface=ADDRESS; unix:PATH or unixgram:PATH, with :mode=660; "
        "systemd:NAME for sockets of the service manager; haproxy:ENDPOINT for connections that begin with a PROXY "
        "header; or any server endpoint string of Twisted."
    )
    optParameters: ClassVar = [
        ["proto", None, "tcp", "tcp, udp or all: the transports of --service"],
        ["log-format", None, "text", "text, or json for one object a line"],
        [
            "ports-file",
            None,
            None,
            "PATH of a file to write when the server is ready: all listeners, as a JSON list [default: none]",
        ],
        [
            "journal",
            None,
            None,
            "PATH of a file to write: every segment and datagram, one JSON object a line, up to 64 MiB [default: none]",
        ],
        ["workers", None, "1", "N processes that serve, or auto for one per core that this process may use"],
        ["seed", None, None, "N that makes faults repeatable [default: a random one]"],
        *policyParameters(),
    ]
    optFlags: ClassVar = [
        ["plain", None, "use Twisted's own transports for connections; systems other than Linux have no others"],
        ["udp-rfc-size", None, "let replies to datagrams be longer than their requests (on trusted networks only)"],
        ["show", None, "log every message: its peer and its bytes"],
    ]
    compData = usage.Completions(
        optActions={
            "proto": usage.CompleteList(list(PROTOS)),
            "log-format": usage.CompleteList(list(FORMATS)),
            "ports-file": usage.CompleteFiles(),
            "journal": usage.CompleteFiles(),
            "script": usage.CompleteFiles("*.toml"),
        },
        multiUse=["service", "script", "interface", "listen", "trusted", "fault"],
    )

    def __init__(self) -> None:
        super().__init__()
        self._services, self._rejected = registered()
        known = ", ".join(f"{name} ({responder.port})" for name, responder in sorted(self._services.items()))
        self.longdesc = f"{self.longdesc} Services, and their ports: {known}."
        self["service"] = []
        self["script"] = []
        self["interface"] = []
        self["listen"] = []
        self["trusted"] = []
        self["fault"] = []

    def opt_service(self, name: str) -> None:
        """
        NAME or NAME=PORT, port 0 for any free one, `all` for every service; repeatable. [default: echo upper welcome]
        """
        self["service"].append(name)

    def opt_script(self, path: str) -> None:
        """
        PATH.toml or PATH.toml=PORT, a script to serve by the name of its file; repeatable. See docs/scripts.md.
        """
        self["script"].append(path)

    def opt_interface(self, address: str) -> None:
        """
        An IP address to listen on, `::` for IPv6 only, `0.0.0.0` for IPv4 only; repeatable. [default: 127.0.0.1]
        """
        self["interface"].append(address)

    def opt_listen(self, listener: str) -> None:
        """
        NAME=ENDPOINT; repeatable. See below. Alone, it replaces the default three services.
        """
        self["listen"].append(listener)

    def opt_trusted(self, source: str) -> None:
        """
        An IP address or network that is exempt from the limits per source (laboratories only); repeatable.
        """
        try:
            self["trusted"].append(network(source))
        except ValueError:
            expected = "expected an IP address or network, such as 192.0.2.0/24"
            raise usage.UsageError(f"--trusted {source}: {expected}") from None

    def opt_fault(self, fault: str) -> None:
        """
        [SERVICE:]WORD[,KEY=VALUE...], such as `latency,delay=0.1`; repeatable. See docs/faults.md.
        """
        self["fault"].append(fault)

    def opt_version(self) -> None:
        """
        Print the version of sockservices and exit.
        """
        print(f"sockservices {__version__}")
        raise SystemExit(0)

    def getSynopsis(self) -> str:
        """
        The synopsis, with the name of the command that was called.
        """
        command = Path(sys.argv[0]).name
        return f"Usage: {command} [options]" if command == "sockservices serve" else super().getSynopsis()

    def parseArgs(self, *arguments: str) -> None:
        """
        Reject arguments.
        """
        if arguments:
            service = arguments[0] if arguments[0] in self._services else "echo"
            raise usage.UsageError(f"{arguments[0]!r}: expected an option, such as --service {service}; see --help")

    def parseOptions(self, options: list[str] | None = None) -> None:
        """
        Parse. Under C{twistd} an error is one line, also one in its own options; C{twist} formats errors itself.
        """
        for text in self._rejected.values():
            print(f"sockservices: warning: {text}", file=sys.stderr)
        self.arguments = list(sys.argv[1:] if options is None else options)
        try:
            _rejectPort(self.arguments)
            super().parseOptions(options)
        except usage.UsageError as error:
            text = withHint(str(error), (name.rstrip("=") for name in self.longOpt))
            if not self.twistd:
                raise usage.UsageError(printable(text)) from None
            exitWithError(text, InvalidCommandLine)
        # Now, because twistd reads its pid file before it calls makeService().
        checkTwistdOptions(self.twistd, self.config, self.arguments)

    @property
    def twistd(self) -> Mapping[str, Any]:
        """
        The options of C{twistd}; empty when another command has these options.
        """
        parent = getattr(self, "parent", None)
        return parent if isinstance(parent, ServerOptions) else {}

    def postOptions(self) -> None:
        """
        Make the configuration.

        @raise usage.UsageError: naming the option, the value and the expected values.
        """
        policy = policyOf(self)
        if self["proto"] not in PROTOS:
            raise usage.UsageError(f"--proto {self['proto']}: expected tcp, udp or all")
        if self["log-format"] not in FORMATS:
            raise usage.UsageError(f"--log-format {self['log-format']}: expected text or json")
        if self["log-format"] != "text" and not self.twistd:
            raise usage.UsageError("--log-format: twist has an option of this name; give that before sockservices")
        if self["interface"] and self["listen"] and not (self["service"] or self["script"]):
            raise usage.UsageError("--interface: expected --service beside it; a --listen takes :interface=ADDRESS")
        common = {"policy": policy, "trace": bool(self["show"]), "plain": bool(self["plain"])}
        for option in ("ports-file", "journal"):
            self[option] = str(Path(self[option]).absolute()) if self[option] else ""
        if self["journal"] and self["journal"] == self["ports-file"]:
            raise usage.UsageError(f"--journal {self['journal']}: expected another file than that of --ports-file")
        self.config = ServerConfig(
            listeners=withFaults(listenersOf(self, self._services, self._rejected, **common), self["fault"]),
            logFormat=self["log-format"],
            portsFile=self["ports-file"],
            journal=self["journal"],
            trusted=tuple(self["trusted"]),
            seed=seedOf(self),
            workers=workersOf(self),
        )
        checkWorkers(self.config, self.twistd)


def _rejectPort(options: Sequence[str]) -> None:
    """
    Reject C{--port 8007}: getopt would take it for an abbreviation of C{--ports-file}.

    @raise usage.UsageError: naming the option that has the ports.
    """
    for option in options:
        name = option.partition("=")[0]
        if name in ("--port", "--ports"):
            raise usage.UsageError(f"option {name} not recognized; expected --service NAME=PORT")

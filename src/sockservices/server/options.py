"""
The options of the command line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, NoReturn

from twisted.application.app import ServerOptions
from twisted.python import usage

from sockservices import __version__
from sockservices.conversation.policy import MAX_LIMIT, Policy
from sockservices.conversation.responder import Responder
from sockservices.monitoring.log import FORMATS
from sockservices.registry import services
from sockservices.transports.bindings import LOOPBACK, Binding, InetBinding, parse, portNumber

__all__ = ["Listener", "Options", "refuse"]

#: What is served when nothing is asked for.
DEFAULT = ("echo", "upper", "welcome")

PROTOS = {"tcp": (True,), "udp": (False,), "all": (True, False)}


class Listener(NamedTuple):
    """
    What to listen on, and for which service.

    @ivar endpoint: a string is one of Twisted's own endpoints.
    @ivar option: how the user asked for it.
    """

    responder: type[Responder]
    endpoint: Binding | str
    option: str


def _option(name: str) -> str:
    """
    A policy's C{maxConnections} as C{max-connections}.
    """
    return re.sub("[A-Z]", lambda letter: "-" + letter.group().lower(), name)


def _limits() -> Iterator[list[Any]]:
    """
    An option for each number in a policy.
    """
    for limit in fields(Policy):
        if limit.metadata:
            default = None if limit.default is None else f"{limit.default:g}"
            yield [_option(limit.name), None, default, f"{limit.metadata['unit']} {limit.metadata['text']}"]


class Options(usage.Options):
    """
    What C{twistd sockservices} takes.
    """

    synopsis = "[options]"
    longdesc = (
        "Serves the small services of every socket tutorial and every inetd: echo, upper, welcome, and their family. "
        "Limits: 0 switches one off. "
        "ENDPOINT: tcp:PORT or udp:PORT, with :interface=ADDRESS; unix:PATH or unixgram:PATH, with :mode=660; "
        "systemd:NAME for what the service manager has opened; or any server string endpoint of Twisted."
    )
    optParameters: ClassVar = [
        ["proto", None, "tcp", "tcp, udp or all: what --service listens on"],
        ["log-format", None, "text", "text, or json for one object a line"],
        *_limits(),
    ]
    optFlags: ClassVar = [
        ["plain", None, "Twisted's own transports for connections; elsewhere than on Linux there are no others"],
        ["udp-rfc-size", None, "let replies to datagrams be longer than their requests (on trusted networks only)"],
        ["show", None, "log every message: who, and its bytes"],
    ]
    compData = usage.Completions(
        optActions={"proto": usage.CompleteList(list(PROTOS)), "log-format": usage.CompleteList(list(FORMATS))},
        multiUse=["service", "interface", "listen"],
    )

    def __init__(self) -> None:
        super().__init__()
        try:
            self._responders = services()
        except ValueError as fault:
            refuse(str(fault))
        known = ", ".join(f"{name} ({responder.port})" for name, responder in sorted(self._responders.items()))
        self.longdesc = f"{self.longdesc} Services, and their ports: {known}."
        self["service"] = []
        self["interface"] = []
        self["listen"] = []

    def opt_service(self, name: str) -> None:
        """
        NAME or NAME=PORT, port 0 for any free one, `all` for every service; repeatable. [default: echo upper welcome]
        """
        self["service"].append(name)

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

    def opt_version(self) -> None:
        """
        Print the version of sockservices and exit.
        """
        print(f"sockservices {__version__}")
        raise SystemExit(0)

    def getSynopsis(self) -> str:
        """
        How it is called, by the name that it was called by.
        """
        command = Path(sys.argv[0]).name
        return f"Usage: {command} [options]" if command == "sockservices serve" else super().getSynopsis()

    def parseArgs(self, *arguments: str) -> None:
        """
        There are options only.
        """
        if arguments:
            raise usage.UsageError(f"{arguments[0]!r}: options are wanted, such as --service {arguments[0]}")

    def parseOptions(self, options: list[str] | None = None) -> None:
        """
        Parse. What is wrong is said in one line; C{twist} has its own way of saying it.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as fault:
            if not self.twistd:
                raise
            refuse(str(fault))

    @property
    def twistd(self) -> Mapping[str, Any]:
        """
        The options of C{twistd}; none where it is not C{twistd} that these are options to.
        """
        parent = getattr(self, "parent", None)
        return parent if isinstance(parent, ServerOptions) else {}

    def postOptions(self) -> None:
        """
        Make sense of what was said.

        @raise usage.UsageError: naming option and value, and what would be right.
        """
        self.policy = self._policy()
        if self["proto"] not in PROTOS:
            raise usage.UsageError(f"--proto {self['proto']}: tcp, udp or all is wanted")
        if self["log-format"] not in FORMATS:
            raise usage.UsageError(f"--log-format {self['log-format']}: text or json is wanted")
        if self["log-format"] != "text" and not self.twistd:
            raise usage.UsageError(
                "--log-format: twist has an option of this name itself, to be given before sockservices"
            )
        if self["interface"] and self["listen"] and not self["service"]:
            raise usage.UsageError(
                "--interface: it goes with --service; a --listen names its own, as :interface=ADDRESS"
            )
        self.listeners = [*self._services(), *self._listens()]
        self._eachOnce()

    def _eachOnce(self) -> None:
        """
        Two listeners on one port are the user's mistake, and not another program that is in the way.
        """
        asked: set[InetBinding] = set()
        for _, endpoint, option in self.listeners:
            if not isinstance(endpoint, InetBinding) or not endpoint.port:
                continue
            if endpoint in asked:
                raise usage.UsageError(f"{option}: {endpoint} is asked for twice")
            asked.add(endpoint)

    def _policy(self) -> Policy:
        limits: dict[str, Any] = {"udpRfcSize": bool(self["udp-rfc-size"])}
        for limit in fields(Policy):
            option = _option(limit.name)
            if not limit.metadata or self[option] is None:
                continue
            whole = limit.metadata["whole"]
            try:
                limits[limit.name] = (int if whole else float)(self[option])
                Policy(**limits)
            except ValueError:
                wanted = f"a {'whole ' * whole}number of {limit.metadata['unit']}, from 0 to {MAX_LIMIT}, is wanted"
                raise usage.UsageError(f"--{option} {self[option]}: {wanted}") from None
        return Policy(**limits)

    def _services(self) -> Iterator[Listener]:
        """
        What --service, --proto and --interface ask for.
        """
        for text in self["service"] or ([] if self["listen"] else DEFAULT):
            name, equals, port = text.partition("=")
            option = f"--service {text}"
            for responder in self._find(name, option):
                try:
                    number = portNumber(port) if equals else responder.port
                except ValueError as fault:
                    raise usage.UsageError(f"{option}: {fault}") from None
                for interface in [text.strip("[]") for text in self["interface"]] or [LOOPBACK]:
                    for stream in PROTOS[self["proto"]]:
                        yield Listener(responder, self._inet(stream, number, interface), option)

    def _inet(self, stream: bool, port: int, interface: str) -> Binding:
        try:
            return InetBinding(stream, port, interface)
        except ValueError as fault:
            raise usage.UsageError(f"--interface {interface}: {fault}") from None

    def _listens(self) -> Iterator[Listener]:
        """
        What --listen asks for.
        """
        for text in self["listen"]:
            option = f"--listen {text}"
            name, equals, endpoint = text.partition("=")
            if not equals:
                raise usage.UsageError(f"{option}: NAME=ENDPOINT is wanted, such as echo=tcp:8007")
            try:
                binding = parse(endpoint)
            except ValueError as fault:
                raise usage.UsageError(f"{option}: {fault}") from None
            for responder in self._find(name, option):
                yield Listener(responder, binding or endpoint, option)

    def _find(self, name: str, option: str) -> list[type[Responder]]:
        """
        The services of a name.
        """
        if name == "all":
            return list(self._responders.values())
        if name not in self._responders:
            known = ", ".join(sorted(self._responders))
            raise usage.UsageError(f"{option}: there is no service {name!r}; there are {known}")
        return [self._responders[name]]


def refuse(text: str) -> NoReturn:
    """
    End with one line, exit status 1.
    """
    raise SystemExit("sockservices: " + " ".join(text.split()))

"""
Bindings as strings, such as C{tcp:8007:interface=0.0.0.0}, C{udp:8007}, C{unix:/run/echo.sock:mode=660} and
C{systemd:echo}.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import LOOPBACK, MAX_PORT, Binding, InetBinding, SystemdBinding, UnixBinding
from sockservices.transports.endpoint_forms import withForm

__all__ = ["fileMode", "parse", "portNumber"]

#: The prefix of a binding whose connections begin with a PROXY header, as in Twisted's endpoint strings.
PROXY_PREFIX = "haproxy:"


def portNumber(text: str) -> int:
    """
    Parse the number of a port.

    @raise ValueError: when the text is not a decimal number from 0 to 65535.
    """
    if re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= MAX_PORT:
        return int(text)
    raise ValueError(f"port {text!r}: expected 0 to {MAX_PORT}; 0 is any free port")


def fileMode(text: str) -> int:
    """
    Parse the permissions of a file.

    @raise ValueError: when the text is not three octal digits, with or without a 0 before them.
    """
    if re.fullmatch(r"0?[0-7]{3}", text):
        return int(text, 8)
    raise ValueError(f"mode {text!r}: expected three octal digits, such as 660")


#: One part of a binding string: escaped characters, an address in brackets, and any characters except colons.
_PART = re.compile(r"(?:^|:)((?:\\.|\[[^\]]*\]|[^:\\]|\\\Z)*)", re.DOTALL)


def parse(text: str) -> Binding | None:
    r"""
    Parse a binding string. As in Twisted's endpoint strings, colons separate the parts, and C{\:} is a literal colon.
    Colons in brackets, as in C{[::1]}, are literal too.

    @return: L{None} when the kind is none of this module's; it may be a kind of Twisted's endpoint strings.
    @raise ValueError: when the arguments are not valid for the kind.
    """
    if text.startswith(PROXY_PREFIX):
        return _parseWithProxyHeader(text)
    kind, *parts = _PART.findall(text)
    if kind not in (*Transport, "systemd"):
        return None
    try:
        return _parse(kind, parts)
    except ValueError as error:
        raise withForm(error, kind) from None


def _parse(kind: str, parts: list[str]) -> Binding:
    positional = {"tcp": "port", "udp": "port", "systemd": "name"}.get(kind, "path")
    arguments: dict[str, str] = {}
    for number, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if not (equals and name.isidentifier()):
            if number:
                hint = "put an IPv6 address in brackets" if positional == "port" else r"write \: for a colon"
                raise ValueError(f"{_unescape(part)!r}: expected NAME=VALUE; {hint}")
            name, value = positional, part
        if name in arguments:
            raise ValueError(f"{name!r}: expected once, not twice")
        arguments[name] = _unescape(value)
    if positional not in arguments or arguments == {"name": ""}:
        raise ValueError(f"{kind}: the {positional} is missing")
    binding = _makeBinding(kind, arguments)
    if arguments:
        raise ValueError(f"{next(iter(arguments))!r}: {kind} has no such argument")
    return binding


def _parseWithProxyHeader(text: str) -> Binding | None:
    binding: Any = parse(text.removeprefix(PROXY_PREFIX))
    if binding is None:
        return None
    if not binding.stream:
        raise withForm(f"{text!r}: datagrams have no PROXY header", "haproxy")
    proxied: Binding = replace(binding, proxyHeader=True)
    return proxied


def _unescape(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)


def _makeBinding(kind: str, arguments: dict[str, str]) -> Binding:
    """
    Make a binding from arguments, and remove from the dictionary those that it uses.
    """
    if kind == "systemd":
        return SystemdBinding(arguments.pop("name"))
    transport = Transport(kind)
    if transport.isInet:
        port, interface = portNumber(arguments.pop("port")), arguments.pop("interface", LOOPBACK)
        return InetBinding(transport, port, interface.strip("[]"))
    path, mode = arguments.pop("path"), arguments.pop("mode", None)
    if mode is not None and path.startswith("@"):
        raise ValueError(f"mode {mode!r}: expected none for {path}: an abstract socket has no permissions")
    return UnixBinding(transport, path, fileMode("600" if mode is None else mode))

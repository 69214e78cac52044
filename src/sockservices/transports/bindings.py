"""
Where to listen, in words: C{tcp:8007:interface=0.0.0.0}, C{udp:8007}, C{unix:/run/echo.sock:mode=660}, C{systemd:echo}.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias

from sockservices.text.addresses import hostPort

__all__ = ["LOOPBACK", "Binding", "InetBinding", "SystemdBinding", "UnixBinding", "parse", "portNumber"]

#: Where a listener listens that was not told where.
LOOPBACK = "127.0.0.1"

#: C{sun_path} has 108 bytes with its final NUL (unix(7)).
LONGEST_PATH = 107


def portNumber(text: str) -> int:
    """
    A port in words as a number.

    @raise ValueError: when it is none.
    """
    if re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= 65535:
        return int(text)
    raise ValueError(f"port {text!r}: 0 to 65535 is wanted, 0 for any free one")


@dataclass(frozen=True)
class InetBinding:
    """
    An address and port, TCP or UDP.

    @raise ValueError: when the interface is no IP address: names would have to be looked up.
    """

    stream: bool
    port: int
    interface: str = LOOPBACK

    def __post_init__(self) -> None:
        try:
            ip_address(self.interface.partition("%")[0])
        except ValueError:
            raise ValueError(
                f"interface {self.interface!r}: an IP address is wanted, such as 127.0.0.1 or ::"
            ) from None

    def __str__(self) -> str:
        return f"{'tcp' if self.stream else 'udp'}:{hostPort(self.interface, self.port)}"


@dataclass(frozen=True)
class UnixBinding:
    """
    The path of a Unix socket; C{@name} is in Linux's abstract namespace.

    @ivar mode: the permissions of the file.
    @raise ValueError: when there is no path, or it is too long for the kernel.
    """

    stream: bool
    path: str
    mode: int = 0o600

    def __post_init__(self) -> None:
        if not self.path or "\0" in self.path:
            raise ValueError(f"path {self.path!r}: the path of a socket is wanted, or @name")
        length = len(os.fsencode(self.path))
        if length > LONGEST_PATH:
            raise ValueError(f"path {self.path!r}: {LONGEST_PATH} bytes at most, these are {length}")

    def __str__(self) -> str:
        return f"{'unix' if self.stream else 'unixgram'}:{self.path}"


@dataclass(frozen=True)
class SystemdBinding:
    """
    A socket that the service manager has opened, by its name (sd_listen_fds(3)). Of what kind it is, it knows itself.
    """

    name: str

    def __str__(self) -> str:
        return f"systemd:{self.name}"


Binding: TypeAlias = InetBinding | UnixBinding | SystemdBinding


#: What one part of the words may hold: escaped characters, an address in brackets, anything but a colon.
_PART = re.compile(r"(?:^|:)((?:\\.|\[[^\]]*\]|[^:\\]|\\\Z)*)", re.DOTALL)


def parse(text: str) -> Binding | None:
    r"""
    Read the words for a binding. As in Twisted's endpoint strings, C{\:} is a colon; so is one inside of C{[::1]}.

    @return: L{None} when the kind is not one of ours, so that it may be one of Twisted's.
    @raise ValueError: when it is, but what follows makes no sense.
    """
    kind, *parts = _PART.findall(text)
    if kind not in ("tcp", "udp", "unix", "unixgram", "systemd"):
        return None
    first = {"tcp": "port", "udp": "port", "systemd": "name"}.get(kind, "path")
    words: dict[str, str] = {}
    for number, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if not (equals and name.isidentifier()):
            if number:
                raise ValueError(f"{_unescaped(part)!r}: name=value is wanted, and an IPv6 address in brackets")
            name, value = first, part
        if name in words:
            raise ValueError(f"{name!r}: one is wanted, there are two")
        words[name] = _unescaped(value)
    if first not in words:
        raise ValueError(f"{kind}: the {first} is missing")
    binding = _make(kind, words)
    if words:
        raise ValueError(f"{next(iter(words))!r}: there is no such word for {kind}")
    return binding


def _unescaped(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)


def _make(kind: str, words: dict[str, str]) -> Binding:
    """
    Make a binding of its words, and take out those that it has used.
    """
    if kind in ("tcp", "udp"):
        return InetBinding(kind == "tcp", portNumber(words.pop("port")), words.pop("interface", LOOPBACK).strip("[]"))
    if kind == "systemd":
        return SystemdBinding(words.pop("name"))
    path, mode = words.pop("path"), words.pop("mode", "600")
    if not re.fullmatch(r"0?[0-7]{3}", mode):
        raise ValueError(f"mode {mode!r}: three octal digits are wanted, such as 660")
    return UnixBinding(kind == "unix", path, int(mode, 8))

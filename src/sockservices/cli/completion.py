"""
Completion of values in a shell: services, ports and targets.
"""

from __future__ import annotations

import os
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from sockservices.conformance import PORTS
from sockservices.faults.fault import keysOf
from sockservices.faults.parse import KINDS
from sockservices.monitoring.log import FORMATS
from sockservices.registry import names
from sockservices.server.listener_options import PROTOS

__all__ = ["completePorts", "completeServeValue", "completeUrl", "completeWords"]


def completeWords(words: Any, incomplete: str) -> list[CompletionItem]:
    """
    Give the words that begin as the incomplete one.
    """
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def completeServeValue(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """
    Complete the value of the last option of C{serve}.
    """
    option = ctx.params["options"][-1] if ctx.params["options"] else ""
    if option == "--fault":
        return completeFault(incomplete)
    values = {"--service": [*names(), "all"], "--proto": [*PROTOS], "--log-format": [*FORMATS]}
    return completeWords(values.get(option, ()), incomplete)


def completeFault(incomplete: str) -> list[CompletionItem]:
    """
    Complete the word of C{[SERVICE:]WORD[,KEY=VALUE...]}, or a key after a comma.
    """
    service, colon, fault = incomplete.rpartition(":")
    before, comma, _ = fault.rpartition(",")
    kind = KINDS.get(before.partition(",")[0])
    if comma:
        values = [f"{before},{key}=" for key in (keysOf(kind) if kind else ())]
    else:
        values = [*KINDS, *([] if colon else (f"{name}:" for name in names()))]
    return completeWords([f"{service}{colon}{value}" for value in values], incomplete)


def completePorts(incomplete: str) -> list[CompletionItem]:
    """
    Complete C{rfc} or C{NAME=PORT,NAME=PORT}.
    """
    before, comma, _ = incomplete.rpartition(",")
    words = [f"{before}{comma}{name}={port}" for name, port in PORTS.items()]
    return completeWords(words if comma else ["rfc", *words], incomplete)


def completeUrl(incomplete: str) -> list[CompletionItem]:
    """
    Complete the URL of a service, with the port of a service on the host that is given, or else on C{127.0.0.1}.
    """
    scheme, separator, authority = incomplete.partition("://")
    host, colon, _ = authority.rpartition(":")
    # An IPv6 address in brackets has colons of its own.
    complete = colon and (not host.startswith("[") or host.endswith("]"))
    base = host if complete else authority or "127.0.0.1"
    schemes = [scheme] if separator else ["tcp", "udp"]
    ports = sorted((port, name) for name, port in PORTS.items())
    items = [
        CompletionItem(f"{each}://{base}:{port}", help=name)
        for each in schemes
        if each.lower() in ("tcp", "udp")
        for port, name in ports
    ]
    if not separator:
        items += [CompletionItem("unix:///"), CompletionItem("unixgram:///")]
    return [item for item in items if item.value.startswith(incomplete)]


class _JoinedValues(ShellComplete):
    """
    Completes C{--option=VALUE}, of which click completes the value alone: the shell replaces the whole word.
    """

    _prefix = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        arguments, incomplete = super().get_completion_args()
        if incomplete.startswith("--") and "=" in incomplete:
            name, _, value = incomplete.partition("=")
            self._prefix = f"{name}="
            return [*arguments, name], value
        return arguments, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        item.value = self._prefix + item.value
        return super().format_completion(item)


class _Zsh(_JoinedValues, ZshComplete):
    """
    Completion in zsh.
    """


class _Fish(_JoinedValues, FishComplete):
    """
    Completion in fish.
    """


class _Bash(BashComplete):
    """
    Completion in bash, which divides words at colons and equals signs (COMP_WORDBREAKS), and replaces the last part.
    """

    _prefix = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ["COMP_WORDS"])
        current = int(os.environ["COMP_CWORD"])
        joined: list[str] = []
        inWord = False
        for part in [*words[1:current], words[current] if current < len(words) else ""]:
            breaks = bool(part) and not part.strip(":=")
            option = breaks and joined[-1:] and joined[-1].startswith("--") and "=" not in joined[-1]
            if option:
                # The next part is the value of the option.
                joined.append("")
            elif (breaks or inWord) and joined:
                joined[-1] += part
            else:
                joined.append(part)
            inWord = breaks
        incomplete = joined.pop()
        self._prefix = incomplete[: max(map(incomplete.rfind, ":=")) + 1]
        return joined, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        item.value = item.value.removeprefix(self._prefix)
        return super().format_completion(item)


for each in (_Bash, _Fish, _Zsh):
    add_completion_class(each)

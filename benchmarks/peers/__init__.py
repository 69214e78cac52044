"""
The servers that are compared, each in a file of its own.

A file has a docstring whose first line says what the server is, C{SERVICES}, and C{serve(service, folder)}, which makes
the server, calls L{ready}, and serves until it is killed, or becomes another program. It may have C{LIBRARY} or
C{PROGRAM}, without which it cannot run, and C{UNFIT}: the workloads that it is spared, and why. What is not in the
standard library is imported in C{serve}. Adding a server is adding a file.
"""

from __future__ import annotations

import os
import pkgutil
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from inspect import getdoc
from typing import Any, NoReturn

from benchmarks.workloads import Workload

__all__ = ["HOST", "WELCOME", "Peer", "become", "free", "module", "peers", "ready"]

HOST = "127.0.0.1"

#: The answer of the service C{welcome}.
WELCOME = b"welcome to server!"


@dataclass(frozen=True)
class Peer:
    """
    One server.

    @ivar services: what it can be, of C{tcp}, C{udp} and C{welcome}.
    @ivar missing: what is not installed of what it needs.
    @ivar unfit: why it is spared a workload, by the workload's name.
    """

    name: str
    about: str
    services: frozenset[str]
    missing: str | None = None
    unfit: Mapping[str, str] = field(default_factory=dict)

    def refuses(self, workload: Workload) -> str | None:
        """
        Why it cannot have this load.
        """
        if self.missing:
            return f"{self.missing} is not installed"
        if workload.service not in self.services:
            return f"no {workload.service} service"
        return self.unfit.get(workload.name)


def peers() -> dict[str, Peer]:
    """
    All servers, by name.
    """
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return {peer.name: peer for peer in map(_peer, names)}


def module(name: str) -> Any:
    """
    The module of a server.
    """
    return import_module(f"{__name__}.{name.replace('-', '_')}")


def _peer(name: str) -> Peer:
    source = module(name)
    library, program = getattr(source, "LIBRARY", None), getattr(source, "PROGRAM", None)
    missing = (
        library if library and not find_spec(library) else program if program and not shutil.which(program) else None
    )
    about = (getdoc(source) or "").partition("\n")[0].rstrip(".")
    return Peer(name.replace("_", "-"), about, frozenset(source.SERVICES), missing, getattr(source, "UNFIT", {}))


def ready(port: int) -> None:
    """
    Say where the server listens.
    """
    os.write(1, f"PORT {port}\n".encode())


def free() -> int:
    """
    A port that nothing listens on.
    """
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def become(port: int, *command: str) -> NoReturn:
    """
    Become another program, which does not say when it listens: a child finds out.
    """
    if os.fork():
        os.execvp(command[0], command)
    for _ in range(200):
        with suppress(ConnectionRefusedError):
            socket.create_connection((HOST, port)).close()
            ready(port)
            break
        time.sleep(0.05)
    os._exit(0)

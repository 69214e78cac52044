"""
The servers that are compared, one module per server. A new module adds a server. It has

 - a docstring, whose first line describes the server;
 - C{SERVICES}: the set of services that it offers, of C{tcp}, C{udp}, C{welcome} and C{greet};
 - C{serve(service, folder)}, which starts the service, calls L{reportPort}, and runs until it is killed;
 - optionally C{LIBRARY} or C{PROGRAM}, the name of the library or program that it needs;
 - optionally C{EXCLUDED}, the workloads that it cannot run, each with the reason;
 - optionally C{WORKERS}, if several workers can serve: C{"processes"}, or C{"threads"} of one process. C{serve} then
   has an argument C{workers}, the number of them. Those of the server's processes that have no child are the workers.

It imports third-party libraries inside C{serve} only.
"""

from __future__ import annotations

import ctypes
import os
import pkgutil
import shutil
import signal
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

__all__ = [
    "GREETING",
    "HOST",
    "WELCOME",
    "Peer",
    "endWithParent",
    "execServer",
    "freePort",
    "peerModule",
    "peers",
    "reportPort",
]

HOST = "127.0.0.1"

#: The reply of the service C{welcome}.
WELCOME = b"welcome to server!"

#: The reply of the service C{greet}.
GREETING = b"connected"

#: The option of prctl(2) to get a signal when the parent dies: no server outlives a benchmark that is killed.
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Peer:
    """
    One server.

    @ivar description: one line for the user.
    @ivar services: the services that it offers, of C{tcp}, C{udp}, C{welcome} and C{greet}.
    @ivar missing: the name of a library or program that it needs and that is not installed.
    @ivar excluded: the workloads that it cannot run, each with the reason.
    @ivar workers: what its workers are, C{processes} or C{threads}; L{None} if it has one only.
    """

    name: str
    description: str
    services: frozenset[str]
    missing: str | None = None
    excluded: Mapping[str, str] = field(default_factory=dict)
    workers: str | None = None

    def exclusion(self, workload: Workload, workers: int = 1) -> str | None:
        """
        Tell why this server does not run a workload with so many workers; L{None} if it does.
        """
        if self.missing:
            return f"{self.missing} is not installed"
        if workload.service not in self.services:
            return f"no {workload.service} service"
        if workers > 1 and self.workers is None:
            return "it has one worker only"
        return self.excluded.get(workload.name)


def peers() -> dict[str, Peer]:
    """
    Find all servers, by name.
    """
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return {peer.name: peer for peer in map(_peer, names)}


def peerModule(name: str) -> Any:
    """
    Import the module of a server.
    """
    return import_module(f"{__name__}.{name.replace('-', '_')}")


def _peer(name: str) -> Peer:
    source = peerModule(name)
    library, program = getattr(source, "LIBRARY", None), getattr(source, "PROGRAM", None)
    missing = (
        library if library and not find_spec(library) else program if program and not shutil.which(program) else None
    )
    description = (getdoc(source) or "").partition("\n")[0].rstrip(".")
    return Peer(
        name.replace("_", "-"),
        description,
        frozenset(source.SERVICES),
        missing,
        getattr(source, "EXCLUDED", {}),
        getattr(source, "WORKERS", None),
    )


def reportPort(port: int) -> None:
    """
    Print the port on which the server listens.
    """
    os.write(1, f"PORT {port}\n".encode())


def endWithParent() -> None:
    """
    Let the kernel kill this process when its parent ends.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def freePort() -> int:
    """
    Find a free TCP port.
    """
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def execServer(port: int, *command: str) -> NoReturn:
    """
    Replace this process by a server that does not report when it listens. A child process connects to its port until
    it does, and reports the port.
    """
    if os.fork():
        os.execvp(command[0], command)
    for _ in range(200):
        with suppress(ConnectionRefusedError):
            socket.create_connection((HOST, port)).close()
            reportPort(port)
            break
        time.sleep(0.05)
    os._exit(0)

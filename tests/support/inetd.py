"""
Foreign servers of the RFC services: Debian's xinetd and openbsd-inetd.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.twistd import environment

__all__ = ["HOST", "OpenbsdInetd", "Xinetd", "freePorts", "hasNamespaces"]

SERVICES = ("echo", "discard", "daytime", "chargen", "time")

#: The search path of programs, including those for root.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"

#: The address of L{OpenbsdInetd} in its network namespace: openbsd-inetd drops datagrams from 127.0.0.0/8.
HOST = "192.0.2.7"

#: Seconds in which a server must have started, or stopped.
PROCESS_TIMEOUT = 10.0


def freePorts(count: int) -> list[int]:
    """
    Find ports of 127.0.0.1 that are free over both TCP and UDP.
    """
    ports: list[int] = []
    with ExitStack() as opened:
        while len(ports) < count:
            stream = opened.enter_context(socket.socket())
            stream.bind(("127.0.0.1", 0))
            datagrams = opened.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            try:
                datagrams.bind(stream.getsockname())
            except OSError:
                continue
            ports.append(stream.getsockname()[1])
    return ports


class _Server:
    """
    A server process, as a context manager: the services listen inside the C{with} block.
    """

    def __init__(self, command: Sequence[str], ready: str) -> None:
        """
        @param ready: a pattern of the output line that appears when the services listen.
        """
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        self.output = ""
        killer = threading.Timer(PROCESS_TIMEOUT, self._process.kill)
        killer.start()
        for line in self._pipe:
            self.output += line
            if re.search(ready, line):
                break
        killer.cancel()
        # Read the later output too: the server blocks when the pipe is full.
        self._reader = threading.Thread(target=self._pipe.read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """
        The process id.
        """
        return self._process.pid

    def stop(self) -> None:
        """
        Terminate the process.
        """
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PROCESS_TIMEOUT)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(PROCESS_TIMEOUT)
            self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class Xinetd(_Server):
    """
    Debian's xinetd, on free ports of the loopback interface.

    @cvar program: its path, or C{""} if it is not installed.
    @ivar ports: the port of each service, the same over TCP and UDP.
    """

    program = shutil.which("xinetd", path=PATH) or ""

    def __init__(self, folder: Path) -> None:
        """
        @param folder: an empty folder for its files.
        """
        for _ in range(5):
            self.ports = dict(zip(SERVICES, freePorts(len(SERVICES)), strict=True))
            configuration = folder / "xinetd.conf"
            configuration.write_text("defaults\n{\n}\n" + "".join(map(self._entries, SERVICES)))
            files = ("-f", str(configuration), "-pidfile", str(folder / "pid"), "-filelog", "/dev/stderr")
            super().__init__([self.program, "-dontfork", *files], "Started working")
            if f"Started working: {2 * len(SERVICES)} " in self.output:
                return
            # Another process has taken one of the ports in the meantime.
            self.stop()
        raise AssertionError(self.output)

    def _entries(self, service: str) -> str:
        entries = ""
        for kind, protocol, wait in (("stream", "tcp", "no"), ("dgram", "udp", "yes")):
            attributes = {
                "id": f"{service}-{protocol}",
                "type": "INTERNAL UNLISTED",
                "socket_type": kind,
                "protocol": protocol,
                "wait": wait,
                "port": self.ports[service],
                "bind": "127.0.0.1",
                "disable": "no",
            }
            lines = "\n".join(f"{name} = {value}" for name, value in attributes.items())
            entries += f"service {service}\n{{\n{lines}\n}}\n"
        return entries


def hasNamespaces() -> bool:
    """
    Tell whether this user may create network namespaces.
    """
    tools = all(map(shutil.which, ("unshare", "nsenter", "ip")))
    return tools and not subprocess.run(["unshare", "-rn", "ip", "link"], capture_output=True, check=False).returncode


def _openbsd() -> str:
    """
    Find openbsd-inetd: other packages install a program of the same name.
    """
    program = shutil.which("inetd", path=PATH) or ""
    return program if program and b"someone wants" in Path(program).read_bytes() else ""


class OpenbsdInetd(_Server):
    """
    Debian's openbsd-inetd, on the RFCs' ports of L{HOST} and of 127.0.0.1, in a network namespace of its own.

    @cvar program: its path, or C{""} if it is not installed.
    """

    program = _openbsd()

    def __init__(self, folder: Path) -> None:
        """
        @param folder: an empty folder for its files.
        """
        kinds = ("stream tcp nowait", "dgram udp wait")
        lines = [
            f"{host}:{name} {kind} root internal" for host in (HOST, "127.0.0.1") for name in SERVICES for kind in kinds
        ]
        configuration = folder / "inetd.conf"
        # inetd prints the name of a service before it listens. When it prints this last service, which no test
        # uses, all other services listen.
        configuration.write_text("\n".join([*lines, "127.0.0.2:discard stream tcp nowait root internal\n"]))
        script = 'ip link set lo up && ip address add "$1/32" dev lo && exec "$2" -d "$3"'
        command = ["unshare", "-rn", "sh", "-c", script, "sh", HOST, self.program, str(configuration)]
        super().__init__(command, "127.0.0.2")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """
        Run C{python -m sockservices} in the server's network namespace.
        """
        enter = ["nsenter", f"--target={self.pid}", "--user", "--net", "--preserve-credentials"]
        command = [*enter, sys.executable, "-m", "sockservices", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)

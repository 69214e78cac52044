"""
Other people's servers of the small services: those within Debian's xinetd and openbsd-inetd.
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

#: Where programs are, those for root included.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"

#: Where the services are that have a network of their own. OpenBSD's answer no datagram from 127.0.0.0/8.
HOST = "192.0.2.7"

#: Seconds in which a server must have started, or stopped.
PATIENCE = 10.0


def freePorts(count: int) -> list[int]:
    """
    Ports that nobody has, neither over TCP nor over UDP.
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
    A context manager: in its body the services are there.
    """

    def __init__(self, command: Sequence[str], ready: str) -> None:
        """
        @param ready: what the server says when it listens.
        """
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self.said = ""
        watch = threading.Timer(PATIENCE, self._process.kill)
        watch.start()
        for line in self._output:
            self.said += line
            if re.search(ready, line):
                break
        watch.cancel()
        # Nobody has to know the rest, but the server must not wait for a reader.
        self._reader = threading.Thread(target=self._output.read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """
        Its process id.
        """
        return self._process.pid

    def stop(self) -> None:
        """
        Stop it.
        """
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(PATIENCE)
            self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class Xinetd(_Server):
    """
    Debian's xinetd, on free ports of the loopback interface.

    @cvar program: where it is, or C{""}.
    @ivar ports: the services' ports, the same for TCP and UDP.
    """

    program = shutil.which("xinetd", path=PATH) or ""

    def __init__(self, folder: Path) -> None:
        """
        @param folder: an empty one, for its files.
        """
        for _ in range(5):
            self.ports = dict(zip(SERVICES, freePorts(len(SERVICES)), strict=True))
            configuration = folder / "xinetd.conf"
            configuration.write_text("defaults\n{\n}\n" + "".join(map(self._entries, SERVICES)))
            files = ("-f", str(configuration), "-pidfile", str(folder / "pid"), "-filelog", "/dev/stderr")
            super().__init__([self.program, "-dontfork", *files], "Started working")
            if f"Started working: {2 * len(SERVICES)} " in self.said:
                return
            # Somebody has taken one of the ports in between.
            self.stop()
        raise AssertionError(self.said)

    def _entries(self, service: str) -> str:
        entries = ""
        for kind, protocol, wait in (("stream", "tcp", "no"), ("dgram", "udp", "yes")):
            words = {
                "id": f"{service}-{protocol}",
                "type": "INTERNAL UNLISTED",
                "socket_type": kind,
                "protocol": protocol,
                "wait": wait,
                "port": self.ports[service],
                "bind": "127.0.0.1",
                "disable": "no",
            }
            lines = "\n".join(f"{name} = {value}" for name, value in words.items())
            entries += f"service {service}\n{{\n{lines}\n}}\n"
        return entries


def hasNamespaces() -> bool:
    """
    Whether a process can have a network of its own here.
    """
    tools = all(map(shutil.which, ("unshare", "nsenter", "ip")))
    return tools and not subprocess.run(["unshare", "-rn", "ip", "link"], capture_output=True, check=False).returncode


def _openbsd() -> str:
    """
    OpenBSD's among the inetds: all of them have the same name.
    """
    program = shutil.which("inetd", path=PATH) or ""
    return program if program and b"someone wants" in Path(program).read_bytes() else ""


class OpenbsdInetd(_Server):
    """
    Debian's openbsd-inetd, on the RFCs' own ports of L{HOST} and of the loopback interface, in a network of its own.

    @cvar program: where it is, or C{""}.
    """

    program = _openbsd()

    def __init__(self, folder: Path) -> None:
        """
        @param folder: an empty one, for its files.
        """
        kinds = ("stream tcp nowait", "dgram udp wait")
        lines = [
            f"{host}:{name} {kind} root internal" for host in (HOST, "127.0.0.1") for name in SERVICES for kind in kinds
        ]
        configuration = folder / "inetd.conf"
        # It tells of a service before it listens: of this last one, which nobody asks for, after it does on all others.
        configuration.write_text("\n".join([*lines, "127.0.0.2:discard stream tcp nowait root internal\n"]))
        script = 'ip link set lo up && ip address add "$1/32" dev lo && exec "$2" -d "$3"'
        command = ["unshare", "-rn", "sh", "-c", script, "sh", HOST, self.program, str(configuration)]
        super().__init__(command, "127.0.0.2")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """
        Run our own command in that network.
        """
        enter = ["nsenter", f"--target={self.pid}", "--user", "--net", "--preserve-credentials"]
        command = [*enter, sys.executable, "-m", "sockservices", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)

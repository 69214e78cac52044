"""
Sockets that a service manager has bound: sd_listen_fds(3). Another process adopts them.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from typing import Any

from sockservices.transports.sockets import BoundSocket
from tests.support.loop import LoopCase
from tests.support.sockets import boundSocket
from tests.support.twistd import environment

MINE = {"LISTEN_PID": "mine"}

UNSUITABLE = "expected a listening stream socket or a datagram socket"

#: Adopts the passed descriptors from 3 on, as from a service manager, and opens names, each with an environment.
SERVER = """
import fcntl, json, os, sys
from sockservices.transports.bindings import SystemdBinding
from sockservices.transports.sockets import OpenError, openSockets

passed, requests = json.loads(sys.argv[1])
for target, number in enumerate([fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in passed], 3):
    os.dup2(number, target)
report, opened = [], []
for environ, name in requests:
    if environ.get("LISTEN_PID") == "mine":
        environ["LISTEN_PID"] = str(os.getpid())
    try:
        adopted = openSockets(SystemdBinding(name), environ)
    except OpenError as error:
        report.append(str(error))
        continue
    opened += adopted
    report.append([each.socket.fileno() for each in adopted])
    assert not any(each.socket.getblocking() or each.socket.get_inheritable() for each in adopted)
for each in opened:
    each.close()
print(json.dumps(report))
"""


class InheritedSocketTests(LoopCase):
    """
    Adopted sockets.
    """

    def assertInherited(self, passed: list[Any], *table: tuple[dict[str, str], str, str | list[int]]) -> None:
        """
        Adopt sockets in another process.

        @param table: an environment, a name to open in it, and the expected descriptors or error. Adopted sockets are
            non-blocking, and not inheritable.
        """
        numbers = [self.closeLater(each).fileno() for each in passed]
        requests = json.dumps((numbers, [(environ, name) for environ, name, _ in table]))
        command = [sys.executable, "-W", "always::ResourceWarning", "-c", SERVER, requests]
        server = subprocess.run(
            command, env=environment(), pass_fds=numbers, capture_output=True, text=True, timeout=30, check=False
        )
        self.assertEqual((server.returncode, server.stderr), (0, ""))
        for (_, name, expected), result in zip(table, json.loads(server.stdout), strict=True):
            self.assertEqual(result, f"systemd:{name}: {expected}" if isinstance(expected, str) else expected)

    def test_names(self) -> None:
        """
        A name stands for all sockets that were passed under it, in their order; sockets without a name are all called
        unknown. The error of a name without sockets lists the names that were passed to this process.
        """
        missing = "the service manager passed no socket of this name; it passed"
        tcp = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        passed = [tcp[0], boundSocket("udp"), tcp[1], boundSocket("udp"), socket.socket(socket.AF_INET6)]
        passed[-1].listen()
        unnamed = {**MINE, "LISTEN_FDS": "2"}
        named = {**MINE, "LISTEN_FDS": "5", "LISTEN_FDNAMES": "a:b:echo:time:echo"}
        self.assertInherited(
            passed,
            ({}, "echo", f"{missing} none at all"),
            ({**named, "LISTEN_PID": "1"}, "echo", f"{missing} none at all"),
            ({**named, "LISTEN_FDS": "0"}, "echo", f"{missing} none at all"),
            (named, "other", f"{missing} a, b, echo, time"),
            (named, "echo", [5, 7]),
            (named, "time", [6]),
            (unnamed, "echo", f"{missing} unknown"),
            (unnamed, "unknown", [3, 4]),
        )

    def test_unsuitable(self) -> None:
        """
        A descriptor that cannot be served is an error: a file, a connection (Accept=yes), a socket of another family,
        and a socket that has been adopted already. When one socket of a name cannot be served, all sockets of the
        name are closed.
        """
        family = "a socket of the family {}: expected TCP, UDP or Unix"
        connections = socket.socketpair()
        passed: list[Any] = [
            (self.folder / "file").open("wb"),
            connections[0],
            socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM),
            socket.create_server(("127.0.0.1", 0)),
            socket.create_server(("127.0.0.1", 0)),
            connections[1],
        ]
        names = ["file", "connection", "netlink", "tcp", "several", "several"]
        table: list[tuple[str, str | list[int]]] = [
            ("file", "descriptor 3: Socket operation on non-socket"),
            ("connection", f"descriptor 4: {UNSUITABLE}"),
            ("netlink", "descriptor 5: " + family.format("AF_NETLINK")),
            ("tcp", [6]),
            ("tcp", "descriptor 6: already in use"),
            ("several", f"descriptor 8: {UNSUITABLE}"),
            ("several", "descriptor 7: Bad file descriptor"),
        ]
        with contextlib.suppress(OSError):
            vsock = self.closeLater(socket.socket(socket.AF_VSOCK))
            vsock.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
            vsock.listen()
            passed.append(vsock)
            names.append("vsock")
            table.append(("vsock", "descriptor 9: " + family.format("AF_VSOCK")))
        environ = {**MINE, "LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": ":".join(names)}
        self.assertInherited(passed, *((environ, name, expected) for name, expected in table))

    def test_noDelay(self) -> None:
        """
        Connections to an adopted TCP socket have TCP_NODELAY, whether or not the service manager has set it.
        """
        listening = socket.create_server(("127.0.0.1", 0))
        environ = {**MINE, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "echo:echo"}
        self.assertInherited([listening, boundSocket("udp")], (environ, "echo", [3, 4]))
        with socket.create_connection(listening.getsockname()):
            accepted = self.closeLater(listening.accept()[0])
        self.assertTrue(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_unixSocketRemains(self) -> None:
        """
        An adopted Unix socket keeps its mode and its path. After C{close} it serves other processes that hold it.
        """
        sockets = {kind: boundSocket(kind, self.folder / kind) for kind in ("unix", "unixgram")}
        sockets["unix"].listen()

        def files() -> list[tuple[int, int]]:
            return [((self.folder / kind).stat().st_mode, (self.folder / kind).stat().st_ino) for kind in sockets]

        (self.folder / "unix").chmod(0o640)
        before = files()
        environ = {**MINE, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "unix:unixgram"}
        self.assertInherited([*sockets.values()], (environ, "unix", [3]), (environ, "unixgram", [4]))
        self.assertEqual(files(), before)
        for kind, holder in sockets.items():
            with socket.socket(socket.AF_UNIX, holder.type) as client:
                client.connect(str(self.folder / kind))
                client.send(b"hello")
                receiving = self.closeLater(holder.accept()[0]) if BoundSocket(holder).stream else holder
                receiving.settimeout(5)
                self.assertEqual(receiving.recv(10), b"hello")

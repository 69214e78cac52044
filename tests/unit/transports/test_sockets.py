"""
Sockets are opened bound, listening and non-blocking, or not at all.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import skipUnless

from twisted.internet.error import CannotListenError

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.sockets import BoundSocket, OpenError, openSockets
from tests.support.loop import PATIENCE, LoopCase, descriptors
from tests.support.twistd import environment

TCP, UDP, UNIX, UNIXGRAM = Transport

V4, V6 = "127.0.0.1", "::1"

#: A bit of the abstract namespace that is this process's own.
ABSTRACT = f"@sockservices-tests-{os.getpid()}"


class OpenCase(LoopCase):
    """
    A test that opens sockets.
    """

    def open(self, binding: InetBinding | UnixBinding) -> BoundSocket:
        """
        Open one, to be closed after the test.
        """
        (opened,) = openSockets(binding)
        self.addCleanup(opened.close)
        return opened

    def inet(self, stream: bool, interface: str = V4, port: int = 0) -> BoundSocket:
        """
        Open one on an address and port.
        """
        return self.open(InetBinding(TCP if stream else UDP, port, interface))

    def unix(self, stream: bool = True, mode: int = 0o600) -> BoundSocket:
        """
        Open one at the same path each time.
        """
        return self.open(UnixBinding(UNIX if stream else UNIXGRAM, str(self.path), mode))

    @property
    def path(self) -> Path:
        """
        Where Unix sockets are opened.
        """
        return self.folder / "socket"

    def refusal(self, binding: InetBinding | UnixBinding) -> str:
        """
        What is said of a socket that cannot be opened, and is not, and leaves nothing open.
        """
        before = descriptors()
        fault = self.assertRaises(OpenError, openSockets, binding)
        self.assertEqual(descriptors(), before)
        self.assertIsInstance(fault, CannotListenError)
        return str(fault)


def port(opened: BoundSocket) -> int:
    """
    The port that a socket got.
    """
    number: int = opened.socket.getsockname()[1]
    return number


class InetTests(OpenCase):
    """
    TCP and UDP.
    """

    def test_tcp(self) -> None:
        """
        A TCP socket listens at once, over IPv4 and IPv6.
        """
        for interface in (V4, V6):
            opened = self.inet(True, interface)
            self.assertTrue(opened.stream)
            self.assertEqual(opened.socket.getsockname()[0], interface)
            self.connect((interface, port(opened)))

    def test_udp(self) -> None:
        """
        A UDP socket receives at once, over IPv4 and IPv6.
        """
        for interface in (V4, V6):
            opened = self.inet(False, interface)
            self.assertFalse(opened.stream)
            with socket.socket(opened.socket.family, socket.SOCK_DGRAM) as client:
                client.sendto(b"words", (interface, port(opened)))
            self.assertEqual(opened.socket.recv(10), b"words")

    def test_forTheReactorAlone(self) -> None:
        """
        Whatever the kind, a read does not block, and no child process has the socket.
        """
        for opened in (self.inet(True), self.inet(False, V6), self.unix()):
            self.assertFalse(opened.socket.getblocking())
            self.assertFalse(opened.socket.get_inheritable())

    def test_wildcardsSideBySide(self) -> None:
        """
        C{::} and C{0.0.0.0} share a port, and each has its own peers, whatever the system's bindv6only.
        """
        for stream in (True, False):
            four = self.inet(stream, "0.0.0.0")
            six = self.inet(stream, "::", port(four))
            for opened, interface in ((four, V4), (six, V6)):
                with socket.socket(opened.socket.family, opened.socket.type) as client:
                    client.connect((interface, port(four)))
                    client.send(b"words")
                    receiving = self.keep(opened.socket.accept()[0]) if stream else opened.socket
                    receiving.settimeout(PATIENCE)
                    self.assertEqual(receiving.recv(10), b"words")

    def test_sixIsNotFour(self) -> None:
        """
        C{::} alone has no IPv4 peers.
        """
        self.assertRaises(ConnectionRefusedError, self.connect, (V4, port(self.inet(True, "::"))))

    def test_portInUse(self) -> None:
        """
        A port in use is refused by its address and the cause.
        """
        for stream, kind in ((True, "tcp"), (False, "udp")):
            for interface, shown in ((V4, "127.0.0.1"), (V6, "[::1]")):
                number = port(self.inet(stream, interface))
                said = self.refusal(InetBinding(TCP if stream else UDP, number, interface))
                self.assertEqual(said, f"{kind}:{shown}:{number}: Address already in use")

    def test_addressOfAnotherHost(self) -> None:
        """
        Nor can an address be listened on that is not this host's, or on a link that is not there.
        """
        self.assertIn(
            "tcp:192.0.2.1:0: Cannot assign requested address", self.refusal(InetBinding(TCP, 0, "192.0.2.1"))
        )
        self.assertRegex(self.refusal(InetBinding(UDP, 0, "fe80::1%nolink")), r"^udp:\[fe80::1%nolink\]:0: .+")

    def test_againAtOnce(self) -> None:
        """
        After a stop, a port is open again at once, though connections of before still wait for their end in the kernel.
        """
        opened = self.inet(True)
        number = port(opened)
        self.connect((V4, number))
        opened.socket.accept()[0].close()
        opened.close()
        self.inet(True, V4, number)

    def test_noDelay(self) -> None:
        """
        The connections of a TCP socket send each answer at once.
        """
        opened = self.inet(True)
        self.connect((V4, port(opened)))
        accepted = self.keep(opened.socket.accept()[0])
        self.assertTrue(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


class UnixTests(OpenCase):
    """
    Unix sockets with a file.
    """

    def mode(self) -> int:
        """
        The permissions of the file.
        """
        return stat.S_IMODE(self.path.lstat().st_mode)

    def test_mode(self) -> None:
        """
        The file has the mode that was asked for and no other, whatever the umask, and the umask stays.
        """
        for mask in (0o000, 0o022, 0o077):
            self.addCleanup(os.umask, os.umask(mask))
            for stream in (True, False):
                for mode in (0o600, 0o660, 0o666, 0o220):
                    opened = self.unix(stream, mode)
                    self.assertEqual(oct(self.mode()), oct(mode))
                    self.assertEqual(oct(os.umask(mask)), oct(mask))
                    opened.close()

    def test_neverWider(self) -> None:
        """
        Not for a moment has the file another mode than was asked for.
        """
        modes = []
        test = self

        class Watched(socket.socket):
            def bind(self, address: Any) -> None:
                super().bind(address)
                modes.append(test.mode())

        self.patch(socket, "socket", Watched)
        self.addCleanup(os.umask, os.umask(0))
        self.unix(mode=0o640)
        self.assertEqual(modes, [0o640])

    def test_umaskOutlivesFailure(self) -> None:
        """
        The umask is what it was after a failure too.
        """
        self.addCleanup(os.umask, os.umask(0o027))
        self.path.write_text("a file")
        self.refusal(UnixBinding(UNIX, str(self.path)))
        self.assertEqual(os.umask(0o027), 0o027)

    def test_staleReplaced(self) -> None:
        """
        The file of a server that is gone is no obstacle, whatever kind that server was.
        """
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for stream in (True, False):
                with socket.socket(socket.AF_UNIX, kind) as gone:
                    gone.bind(str(self.path))
                self.assertTrue(self.path.is_socket())
                opened = self.unix(stream)
                with socket.socket(socket.AF_UNIX, opened.socket.type) as client:
                    client.connect(str(self.path))
                opened.close()

    def test_liveNeverTakenOver(self) -> None:
        """
        Where another server lives, of whichever kind, nothing is opened, and it lives on.
        """
        for live in (True, False):
            opened = self.unix(live)
            inode = self.path.lstat().st_ino
            for stream, kind in ((True, "unix"), (False, "unixgram")):
                said = self.refusal(UnixBinding(UNIX if stream else UNIXGRAM, str(self.path)))
                self.assertEqual(said, f"{kind}:{self.path}: Address already in use")
            self.assertEqual(self.path.lstat().st_ino, inode)
            with socket.socket(socket.AF_UNIX, opened.socket.type) as client:
                client.connect(str(self.path))
            opened.close()

    def test_busyNeverTakenOver(self) -> None:
        """
        A server that is too busy to accept lives as well.
        """
        busy = self.keep(socket.socket(socket.AF_UNIX))
        busy.bind(str(self.path))
        busy.listen(0)
        while True:
            waiting = self.keep(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            if waiting.connect_ex(str(self.path)):
                break
        self.assertIn("Address already in use", self.refusal(UnixBinding(UNIX, str(self.path))))
        self.assertTrue(self.path.is_socket())

    def test_otherFilesNeverRemoved(self) -> None:
        """
        What is no socket is never removed: not a file, not a folder, not a link, even one to the socket of a server
        that is gone.
        """
        file, folder, link, stale = (self.folder / name for name in ("file", "folder", "link", "stale"))
        file.write_text("words")
        folder.mkdir()
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(stale))
        link.symlink_to(stale)
        for path in (file, folder, link):
            for stream in (True, False):
                self.assertIn(
                    "Address already in use", self.refusal(UnixBinding(UNIX if stream else UNIXGRAM, str(path)))
                )
        self.assertEqual(file.read_text(), "words")
        self.assertTrue(folder.is_dir() and link.is_symlink() and stale.is_socket())

    @skipUnless(os.geteuid() == 0, "only root can give a file away")
    def test_otherUsersNeverRemoved(self) -> None:
        """
        Nor is the socket of another user.
        """
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(self.path))
        os.chown(self.path, 65534, 65534)
        self.assertIn("Address already in use", self.refusal(UnixBinding(UNIX, str(self.path))))
        self.assertEqual(self.path.lstat().st_uid, 65534)

    def test_missingFolder(self) -> None:
        """
        A folder that is not there is named, with its cause.
        """
        path = f"{self.folder}/nowhere/socket"
        self.assertEqual(self.refusal(UnixBinding(UNIX, path)), f"unix:{path}: No such file or directory")

    def test_removedWithTheSocket(self) -> None:
        """
        The file goes when the socket does, of either kind; closing once more does no harm.
        """
        for stream in (True, False):
            opened = self.unix(stream)
            opened.close()
            self.assertEqual(list(self.folder.iterdir()), [])
            opened.close()

    def test_removedFromElsewhere(self) -> None:
        """
        A relative path means the folder where the server was started, wherever it works later.
        """
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        opened = self.open(UnixBinding(UNIX, "socket"))
        self.assertTrue(self.path.is_socket())
        os.chdir("/")
        opened.close()
        self.assertFalse(self.path.exists())

    def test_goneAlready(self) -> None:
        """
        A file that somebody has removed already is not missed.
        """
        opened = self.unix()
        self.path.unlink()
        opened.close()
        self.assertEqual(opened.socket.fileno(), -1)

    def test_successorsFileStays(self) -> None:
        """
        A file that is another server's by now is left alone.
        """
        opened = self.unix()
        self.path.unlink()
        self.unix()
        opened.close()
        self.connect(str(self.path))

    def test_longestPath(self) -> None:
        """
        The longest path that is promised can be had.
        """
        name = "s" * (107 - len(str(self.folder)) - 1)
        self.assertTrue(self.open(UnixBinding(UNIX, str(self.folder / name))).stream)

    def test_bytesThatAreNoText(self) -> None:
        """
        A path need not be text.
        """
        path = os.fsdecode(os.fsencode(self.folder) + b"/\xff")
        self.open(UnixBinding(UNIX, path)).close()
        self.assertEqual(list(self.folder.iterdir()), [])


class AbstractTests(OpenCase):
    """
    Unix sockets without a file.
    """

    def test_noFile(self) -> None:
        """
        A name in the abstract namespace leaves nothing in the folder, and is free again after the close.
        """
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        for stream in (True, False):
            opened = self.open(UnixBinding(UNIX if stream else UNIXGRAM, ABSTRACT))
            self.assertEqual(opened.socket.getsockname(), b"\0" + ABSTRACT[1:].encode())
            with socket.socket(socket.AF_UNIX, opened.socket.type) as client:
                client.connect("\0" + ABSTRACT[1:])
            self.assertEqual(list(self.folder.iterdir()), [])
            opened.close()

    def test_inUse(self) -> None:
        """
        A name in use is refused.
        """
        self.open(UnixBinding(UNIX, ABSTRACT))
        self.assertEqual(self.refusal(UnixBinding(UNIX, ABSTRACT)), f"unix:{ABSTRACT}: Address already in use")


#: Takes what it was passed as from a service manager, descriptors from 3 on, and opens each name in its environment.
HEIR = """
import json, os, sys
from sockservices.transports.bindings import SystemdBinding
from sockservices.transports.sockets import OpenError, openSockets

passed, asked = json.loads(sys.argv[1])
for target, number in enumerate(passed, 3):
    os.dup2(number, target)
report, kept = [], []
for environ, name in asked:
    if environ.get("LISTEN_PID") == "mine":
        environ["LISTEN_PID"] = str(os.getpid())
    try:
        opened = openSockets(SystemdBinding(name), environ)
    except OpenError as fault:
        report.append(str(fault))
        continue
    kept += opened
    heirs = [one.socket for one in opened]
    report.append([[heir.fileno(), heir.getblocking(), heir.get_inheritable()] for heir in heirs])
for one in kept:
    one.close()
print(json.dumps(report))
"""


class SystemdTests(OpenCase):
    """
    Sockets that a service manager has opened: sd_listen_fds(3), in a process of its own.
    """

    def inherit(self, passed: Sequence[socket.socket], *asked: tuple[dict[str, str], str]) -> list[Any]:
        """
        What a process opens that was passed some sockets.

        @param asked: an environment, and a name to open in it.
        @return: for each, descriptor, blocking and inheritable of each socket, or what was said instead.
        """
        numbers = sorted(each.fileno() for each in passed)
        self.assertEqual(numbers, [each.fileno() for each in passed])
        command = [sys.executable, "-c", HEIR, json.dumps((numbers, asked))]
        heir = subprocess.run(
            command, env=environment(), pass_fds=numbers, capture_output=True, text=True, timeout=30, check=False
        )
        self.assertEqual((heir.returncode, heir.stderr), (0, ""))
        report: list[Any] = json.loads(heir.stdout)
        return report

    def test_byName(self) -> None:
        """
        A name stands for all sockets that were passed under it, in their order, and each is made fit for a reactor.
        """
        passed = [self.inet(True).socket, self.inet(False).socket, self.inet(True, V6).socket]
        for each in passed:
            each.setblocking(True)
        environ = {"LISTEN_PID": "mine", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "echo:time:echo"}
        self.assertEqual(
            self.inherit(passed, (environ, "echo"), (environ, "time")),
            [[[3, False, False], [5, False, False]], [[4, False, False]]],
        )

    def test_notForUs(self) -> None:
        """
        What was passed to another process, or not at all, or under another name, is not there: and that is said.
        """
        mine = {"LISTEN_PID": "mine", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "echo"}
        report = self.inherit(
            [self.inet(True).socket],
            ({}, "echo"),
            ({**mine, "LISTEN_PID": "1"}, "echo"),
            ({**mine, "LISTEN_FDS": "0"}, "echo"),
            ({**mine, "LISTEN_FDNAMES": "time"}, "echo"),
        )
        none = "systemd:echo: the service manager passed no socket of this name; it passed none at all"
        self.assertEqual(report[:3], [none] * 3)
        self.assertRegex(report[3], r"^systemd:echo: .+ it passed time$")

    def test_withoutNames(self) -> None:
        """
        Sockets without a name are all called unknown, as sd_listen_fds_with_names(3) says.
        """
        environ = {"LISTEN_PID": "mine", "LISTEN_FDS": "2"}
        report = self.inherit(
            [self.inet(True).socket, self.inet(False).socket], (environ, "unknown"), (environ, "echo")
        )
        self.assertEqual([number for number, _, _ in report[0]], [3, 4])
        self.assertRegex(report[1], r"^systemd:echo: .+ it passed unknown$")

    def test_noSocket(self) -> None:
        """
        A descriptor that is closed, or no socket, is refused by its number.
        """
        environ = {"LISTEN_PID": "mine", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "echo"}
        with (self.folder / "file").open("wb") as file:
            (said,) = self.inherit([file], (environ, "echo"))  # type: ignore[list-item]
        self.assertEqual(said, "systemd:echo: descriptor 3: Socket operation on non-socket")

    def test_once(self) -> None:
        """
        One socket is one listener's: whoever asks for the name again is told so.
        """
        environ = {"LISTEN_PID": "mine", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "echo"}
        report = self.inherit([self.inet(True).socket], (environ, "echo"), (environ, "echo"))
        self.assertEqual(report, [[[3, False, False]], "systemd:echo: descriptor 3: it is in use already"])

    def test_connection(self) -> None:
        """
        A connection, as is passed with Accept=yes, is refused: there is nothing to accept.
        """
        near, far = socket.socketpair()
        self.keep(far)
        environ = {"LISTEN_PID": "mine", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "connection"}
        (said,) = self.inherit([self.keep(near)], (environ, "connection"))
        self.assertEqual(said, "systemd:connection: descriptor 3: it takes neither connections nor datagrams")

    def test_unixStays(self) -> None:
        """
        A Unix socket keeps its mode and its path, and after it is closed still accepts for those who hold it too.
        """
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            holder = self.keep(socket.socket(socket.AF_UNIX, kind))
            holder.bind(str(self.path))
            self.path.chmod(0o640)
            if kind == socket.SOCK_STREAM:
                holder.listen()
            before = self.path.lstat()
            environ = {"LISTEN_PID": "mine", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "echo"}
            self.assertEqual(self.inherit([holder], (environ, "echo")), [[[3, False, False]]])
            after = self.path.lstat()
            self.assertEqual((after.st_mode, after.st_ino), (before.st_mode, before.st_ino))
            with socket.socket(socket.AF_UNIX, kind) as client:
                client.connect(str(self.path))
                client.send(b"words")
                receiving = self.keep(holder.accept()[0]) if kind == socket.SOCK_STREAM else holder
                self.assertEqual(receiving.recv(10), b"words")
            self.path.unlink()

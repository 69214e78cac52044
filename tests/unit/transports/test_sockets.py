"""
Opening sockets: bound, listening and non-blocking, or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any
from unittest import skipUnless

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.sockets import BoundSocket, OpenError, openSockets
from sockservices.transports.stream_port import StreamPort
from sockservices.transports.unix_path import lockedFolder
from tests.support.loop import PATIENCE, LoopCase, descriptors
from tests.support.twistd import environment

TCP, UDP, UNIX, UNIXGRAM = Transport

V4, V6 = "127.0.0.1", "::1"

#: A name in the abstract namespace that only this process uses.
ABSTRACT = f"@sockservices-tests-{os.getpid()}"


class OpenCase(LoopCase):
    """
    A test that opens sockets.
    """

    def open(self, binding: InetBinding | UnixBinding) -> BoundSocket:
        """
        Open a socket and close it after the test.
        """
        (bound,) = openSockets(binding)
        self.addCleanup(bound.close)
        return bound

    def inet(self, stream: bool, interface: str = V4, port: int = 0) -> BoundSocket:
        """
        Open a TCP or UDP socket.
        """
        return self.open(InetBinding(TCP if stream else UDP, port, interface))

    def unix(self, stream: bool = True, mode: int = 0o600) -> BoundSocket:
        """
        Open a Unix socket at L{path}.
        """
        return self.open(UnixBinding(UNIX if stream else UNIXGRAM, str(self.path), mode))

    @property
    def path(self) -> Path:
        """
        The path of Unix sockets.
        """
        return self.folder / "socket"

    def refusal(self, binding: InetBinding | UnixBinding) -> str:
        """
        The error of a socket that cannot be bound. No descriptor is left open.
        """
        before = descriptors()
        exception = self.assertRaises(OpenError, openSockets, binding)
        self.assertEqual(descriptors(), before)
        self.assertIsInstance(exception, CannotListenError)
        return str(exception)


def port(bound: BoundSocket) -> int:
    """
    The port that a socket is bound to.
    """
    number: int = bound.socket.getsockname()[1]
    return number


class InetTests(OpenCase):
    """
    TCP and UDP.
    """

    def test_served(self) -> None:
        """
        A socket serves at once, over IPv4 and IPv6. It does not block, and no child process inherits it. TCP
        connections have TCP_NODELAY.
        """
        for stream, interface in product((True, False), (V4, V6)):
            bound = self.inet(stream, interface)
            self.assertEqual((bound.stream, bound.socket.getsockname()[0]), (stream, interface))
            self.assertFalse(bound.socket.getblocking() or bound.socket.get_inheritable())
            with socket.socket(bound.socket.family, bound.socket.type) as client:
                client.connect((interface, port(bound)))
                client.send(b"words")
                receiving = self.keep(bound.socket.accept()[0]) if stream else bound.socket
                self.assertEqual(receiving.recv(10), b"words")
                if stream:
                    self.assertTrue(receiving.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_wildcardsSideBySide(self) -> None:
        """
        C{::} and C{0.0.0.0} share a port, and each serves its own family, whatever the system's bindv6only.
        """
        for stream in (True, False):
            four = self.inet(stream, "0.0.0.0")
            six = self.inet(stream, "::", port(four))
            for bound, interface in ((four, V4), (six, V6)):
                with socket.socket(bound.socket.family, bound.socket.type) as client:
                    client.connect((interface, port(four)))
                    client.send(b"words")
                    receiving = self.keep(bound.socket.accept()[0]) if stream else bound.socket
                    receiving.settimeout(PATIENCE)
                    self.assertEqual(receiving.recv(10), b"words")

    def test_sixIsNotFour(self) -> None:
        """
        C{::} accepts no IPv4 connection.
        """
        self.assertRaises(ConnectionRefusedError, self.connect, (V4, port(self.inet(True, "::"))))

    def test_portInUse(self) -> None:
        """
        The error of a port in use gives the address and the cause.
        """
        for stream, interface in product((True, False), (V4, V6)):
            binding = InetBinding(TCP if stream else UDP, port(self.inet(stream, interface)), interface)
            self.assertEqual(self.refusal(binding), f"{binding}: Address already in use")

    def test_addressOfAnotherHost(self) -> None:
        """
        An address of another host, or on a link that does not exist, is refused.
        """
        other = self.refusal(InetBinding(TCP, 0, "192.0.2.1"))
        self.assertEqual(other, "tcp:192.0.2.1:0: Cannot assign requested address")
        self.assertRegex(self.refusal(InetBinding(UDP, 0, "fe80::1%nolink")), r"^udp:\[fe80::1%nolink\]:0: .+")

    def test_againAtOnce(self) -> None:
        """
        A port can be bound again at once, although connections to it are in TIME_WAIT.
        """
        bound = self.inet(True)
        number = port(bound)
        self.connect((V4, number))
        bound.socket.accept()[0].close()
        bound.close()
        self.inet(True, V4, number)


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
        The file has the requested mode whatever the umask is, and the umask is restored.
        """
        for mask in (0o000, 0o022, 0o077):
            self.addCleanup(os.umask, os.umask(mask))
            for stream in (True, False):
                for mode in (0o600, 0o660, 0o666, 0o220):
                    bound = self.unix(stream, mode)
                    self.assertEqual(oct(self.mode()), oct(mode))
                    self.assertEqual(oct(os.umask(mask)), oct(mask))
                    bound.close()

    def test_neverWider(self) -> None:
        """
        The file has its mode when bind(2) returns.
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
        The umask is restored after a failure.
        """
        self.addCleanup(os.umask, os.umask(0o027))
        self.path.write_text("a file")
        self.refusal(UnixBinding(UNIX, str(self.path)))
        self.assertEqual(os.umask(0o027), 0o027)

    def test_staleReplaced(self) -> None:
        """
        The file of a server that is gone is replaced, whatever its kind.
        """
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for stream in (True, False):
                with socket.socket(socket.AF_UNIX, kind) as gone:
                    gone.bind(str(self.path))
                self.assertTrue(self.path.is_socket())
                bound = self.unix(stream)
                with socket.socket(socket.AF_UNIX, bound.socket.type) as client:
                    client.connect(str(self.path))
                bound.close()

    def test_liveNeverTakenOver(self) -> None:
        """
        A path where another server listens, of whichever kind, is refused, and that server goes on.
        """
        for live in (True, False):
            bound = self.unix(live)
            inode = self.path.lstat().st_ino
            for stream, kind in ((True, "unix"), (False, "unixgram")):
                error = self.refusal(UnixBinding(UNIX if stream else UNIXGRAM, str(self.path)))
                self.assertEqual(error, f"{kind}:{self.path}: Address already in use")
            self.assertEqual(self.path.lstat().st_ino, inode)
            with socket.socket(socket.AF_UNIX, bound.socket.type) as client:
                client.connect(str(self.path))
            bound.close()

    def test_busyNeverTakenOver(self) -> None:
        """
        The file of a server whose queue is full is not replaced.
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
        Only sockets are removed: no file, no folder, and no link, not even one to the socket of a server that is gone.
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
        The socket of another user is not removed.
        """
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(self.path))
        os.chown(self.path, 65534, 65534)
        self.assertIn("Address already in use", self.refusal(UnixBinding(UNIX, str(self.path))))
        self.assertEqual(self.path.lstat().st_uid, 65534)

    def test_missingFolder(self) -> None:
        """
        The error of a folder that does not exist names the path and the cause.
        """
        path = f"{self.folder}/nowhere/socket"
        self.assertEqual(self.refusal(UnixBinding(UNIX, path)), f"unix:{path}: No such file or directory")

    def test_close(self) -> None:
        """
        C{close} removes the file of a socket of either kind. It may be called twice, and after the file is gone.
        """
        for stream, removed in product((True, False), repeat=2):
            bound = self.unix(stream)
            self.assertFalse(bound.socket.getblocking() or bound.socket.get_inheritable())
            if removed:
                self.path.unlink()
            for _ in range(2):
                bound.close()
                self.assertEqual((list(self.folder.iterdir()), bound.socket.fileno()), ([], -1))

    def test_removedFromElsewhere(self) -> None:
        """
        A relative path is removed although the process has changed its folder.
        """
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        bound = self.open(UnixBinding(UNIX, "socket"))
        self.assertTrue(self.path.is_socket())
        os.chdir("/")
        bound.close()
        self.assertFalse(self.path.exists())

    def test_successorsFileStays(self) -> None:
        """
        C{close} does not remove the file of another server at the same path.
        """
        bound = self.unix()
        self.path.unlink()
        self.unix()
        bound.close()
        self.connect(str(self.path))

    def test_anyPath(self) -> None:
        """
        A path of 107 bytes can be bound, and so can one that is not valid UTF-8.
        """
        length = 107 - len(str(self.folder)) - 1
        for name in (b"s" * length, b"\xff"):
            self.open(UnixBinding(UNIX, os.fsdecode(os.fsencode(self.folder) + b"/" + name))).close()
            self.assertEqual(list(self.folder.iterdir()), [])


#: In each round 8 processes open one Unix socket at the same moment, at the path of a server that is gone. Each keeps
#: it until all have tried. Prints how many have it; 9 stands for an unexpected error.
RACE = """
import os, socket, sys
from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import UnixBinding
from sockservices.transports.sockets import OpenError, openSockets

path = sys.argv[1]
for _ in range(40):
    if not os.path.exists(path):
        socket.socket(socket.AF_UNIX).bind(path)
    gate, results, hold = os.pipe(), os.pipe(), os.pipe()
    for _ in range(8):
        if not os.fork():
            os.close(gate[1])
            os.close(hold[1])
            os.read(gate[0], 1)
            try:
                bound = openSockets(UnixBinding(Transport(sys.argv[2]), path))
                count = len(bound)
            except OpenError as error:
                count = 0 if "Address already in use" in str(error) else 9
            os.write(results[1], b"%d" % count)
            os.read(hold[0], 1)
            os._exit(0)
    os.close(gate[1])
    print(sum(int(os.read(results[0], 1)) for _ in range(8)))
    for number in (gate[0], *results, *hold):
        os.close(number)
    for _ in range(8):
        assert os.wait()[1] == 0
"""


class RaceTests(OpenCase):
    """
    Servers that start at the same moment.
    """

    def test_staleFile(self) -> None:
        """
        Of 8 processes that find the file of a server that is gone, exactly one opens the socket, in each of 40 rounds,
        and nothing else is left in the folder.
        """
        for transport in (UNIX, UNIXGRAM):
            race = subprocess.run(
                [sys.executable, "-c", RACE, str(self.path), transport.value],
                env=environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual((race.stdout.split(), race.stderr), (["1"] * 40, ""))
            self.assertEqual(list(self.folder.iterdir()), [self.path])

    def test_lockedFolder(self) -> None:
        """
        The folder is locked once, and what waits too long for the lock gets an error that names the folder.
        """
        with lockedFolder(self.folder):
            lock = lockedFolder(self.folder, 0.0)
            error = self.assertRaises(OSError, lock.__enter__)
            self.assertEqual(error.strerror, f"another process has locked the folder {self.folder} for 0 s")
        with lockedFolder(self.folder, 0.0):
            pass
        self.assertEqual(list(self.folder.iterdir()), [])

    @skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_unreadableFolder(self) -> None:
        """
        In a folder that may be written and not be read, a socket is bound without the lock.
        """
        self.folder.chmod(0o300)
        os.chown(self.folder, 65534, 65534)
        self.addCleanup(os.chown, self.folder, 0, 0)
        os.seteuid(65534)
        self.addCleanup(os.seteuid, 0)
        self.connect(self.unix().socket.getsockname())


class EchoProtocol(Protocol):
    """
    Sends back what it receives.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Send it back.
        """
        assert self.transport is not None
        self.transport.write(data)


class UrgentDataTests(OpenCase):
    """
    Urgent data: RFC 6093, and unix(7) since Linux 5.15.
    """

    def test_inline(self) -> None:
        """
        An urgent byte is received in its place in the stream, over TCP and Unix sockets, whoever has bound them, and
        also when it was sent before the connection was accepted.
        """
        for plain in (False, True):
            adopted = self.keep(socket.create_server((V4, 0)))
            adopted.setblocking(False)
            unixSocket = self.keep(socket.socket(socket.AF_UNIX))
            unixSocket.bind(f"{self.path}-{plain}")
            unixSocket.listen()
            unixSocket.setblocking(False)
            for bound in (self.inet(True), self.unix(), BoundSocket(adopted), BoundSocket(unixSocket)):
                port = StreamPort(bound, Factory.forProtocol(EchoProtocol), self.reactor, plain)
                port.startListening()
                address = bound.socket.getsockname()
                client = self.connect(address)
                for data, flags in ((b"abc", 0), (b"X", socket.MSG_OOB), (b"def", 0)):
                    client.send(data, flags)
                self.assertEqual(self.hear(client, 7), b"abcXdef", (address, plain))
                client.close()
                self.turn(2)
                port.stopListening()


class AbstractTests(OpenCase):
    """
    Unix sockets in the abstract namespace.
    """

    def test_noFile(self) -> None:
        """
        A name in the abstract namespace makes no file, and is free after C{close}.
        """
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        for stream in (True, False):
            bound = self.open(UnixBinding(UNIX if stream else UNIXGRAM, ABSTRACT))
            self.assertEqual(bound.socket.getsockname(), b"\0" + ABSTRACT[1:].encode())
            with socket.socket(socket.AF_UNIX, bound.socket.type) as client:
                client.connect("\0" + ABSTRACT[1:])
            self.assertEqual(list(self.folder.iterdir()), [])
            bound.close()

    def test_inUse(self) -> None:
        """
        A name in use is refused.
        """
        self.open(UnixBinding(UNIX, ABSTRACT))
        self.assertEqual(self.refusal(UnixBinding(UNIX, ABSTRACT)), f"unix:{ABSTRACT}: Address already in use")


#: Adopts passed descriptors from 3 on, as from a service manager, and opens names, each with an environment.
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
        adopted = openSockets(SystemdBinding(name), environ)
    except OpenError as fault:
        report.append(str(fault))
        continue
    kept += adopted
    heirs = [one.socket for one in adopted]
    report.append([[heir.fileno(), heir.getblocking(), heir.get_inheritable()] for heir in heirs])
for one in kept:
    one.close()
print(json.dumps(report))
"""


class SystemdTests(OpenCase):
    """
    Sockets that a service manager has bound: sd_listen_fds(3), in a process of its own.
    """

    def inherit(self, passed: Sequence[socket.socket], *asked: tuple[dict[str, str], str]) -> list[Any]:
        """
        Adopt sockets in another process.

        @param asked: an environment, and a name to open in it.
        @return: for each of C{asked} either the error or, for each socket, its descriptor, whether it blocks, and
            whether it is inheritable.
        """
        numbers = sorted(each.fileno() for each in passed)
        self.assertEqual(numbers, [each.fileno() for each in passed])
        command = [sys.executable, "-W", "always::ResourceWarning", "-c", HEIR, json.dumps((numbers, asked))]
        heir = subprocess.run(
            command, env=environment(), pass_fds=numbers, capture_output=True, text=True, timeout=30, check=False
        )
        self.assertEqual((heir.returncode, heir.stderr), (0, ""))
        report: list[Any] = json.loads(heir.stdout)
        return report

    def test_byName(self) -> None:
        """
        A name stands for all sockets that were passed under it, in their order. Each becomes non-blocking.
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
        The error of a name without sockets lists the names that were passed to this process.
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

    def test_refused(self) -> None:
        """
        What cannot be served is refused by its descriptor: what is no socket, a connection (Accept=yes), a socket of
        another family, and a socket that has been adopted already.
        """
        families = "expected TCP, UDP or Unix"
        connection, _ = map(self.keep, socket.socketpair())
        cases: list[tuple[Any, str]] = [
            ((self.folder / "file").open("wb"), "Socket operation on non-socket"),
            (connection, "expected a listening stream socket or a datagram socket"),
            (
                socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM),
                f"a socket of the family AF_NETLINK: {families}",
            ),
        ]
        with contextlib.suppress(OSError):
            stream = socket.socket(socket.AF_VSOCK)
            stream.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
            stream.listen()
            cases.append((stream, f"a socket of the family AF_VSOCK: {families}"))
        cases.sort(key=lambda case: case[0].fileno())
        passed = [self.keep(case[0]) for case in cases]
        listening = socket.create_server((V4, 0))
        passed.append(self.keep(listening))
        names = [f"name{number}" for number in range(len(passed))]
        environ = {"LISTEN_PID": "mine", "LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": ":".join(names)}
        report = self.inherit(passed, *((environ, name) for name in [*names, names[-1]]))
        expected = [f"descriptor {number}: {cause}" for number, (_, cause) in enumerate(cases, 3)]
        last = len(passed) + 2
        for name, cause in zip(names, expected, strict=False):
            self.assertEqual(report.pop(0), f"systemd:{name}: {cause}")
        again = f"systemd:{names[-1]}: descriptor {last}: already in use"
        self.assertEqual(report, [[[last, False, False]], again])

    def test_allOrNone(self) -> None:
        """
        When one socket of a name is refused, all of that name are closed.
        """
        listening = self.inet(True).socket
        near, _ = map(self.keep, socket.socketpair())
        passed = [listening, near]
        environ = {"LISTEN_PID": "mine", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "echo:echo"}
        refused, again = self.inherit(passed, (environ, "echo"), (environ, "echo"))
        self.assertEqual(refused, "systemd:echo: descriptor 4: expected a listening stream socket or a datagram socket")
        self.assertEqual(again, "systemd:echo: descriptor 3: Bad file descriptor")

    def test_unixStays(self) -> None:
        """
        An adopted Unix socket keeps its mode and its path, and after C{close} it serves its other holders.
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

"""
Opening sockets: bound, listening and non-blocking, or not at all.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any
from unittest import skipUnless

from twisted.internet.error import CannotListenError

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.sockets import BoundSocket, OpenError, openSockets
from sockservices.transports.unix_path import lockedFolder
from tests.support.loop import LoopCase, descriptors
from tests.support.sockets import boundSocket
from tests.support.twistd import environment

TCP, UDP, UNIX, UNIXGRAM = Transport

V4, V6 = "127.0.0.1", "::1"

ADDRESS_IN_USE = "Address already in use"

#: A name in the abstract namespace that only this process uses.
ABSTRACT = f"@sockservices-tests-{os.getpid()}"

asRoot = skipUnless(os.geteuid() == 0, "only root can act as another user")


class OpenCase(LoopCase):
    """
    A test that opens sockets.
    """

    def setUp(self) -> None:
        """
        Choose the path of Unix sockets.
        """
        super().setUp()
        self.path = self.folder / "socket"

    def inet(self, transport: Transport, interface: str = V4, port: int = 0) -> tuple[BoundSocket, int]:
        """
        Open a TCP or UDP socket. @return: the socket and its port.
        """
        (bound,) = openSockets(InetBinding(transport, port, interface))
        self.closeLater(bound)
        return bound, bound.socket.getsockname()[1]

    def unix(self, transport: Transport = UNIX, mode: int = 0o600, path: object = None) -> BoundSocket:
        """
        Open a Unix socket, by default at L{path}.
        """
        (bound,) = openSockets(UnixBinding(transport, str(path or self.path), mode))
        return self.closeLater(bound)  # type: ignore[no-any-return]

    def assertServed(self, bound: BoundSocket, address: Any) -> socket.socket:
        """
        Check that a socket serves at once. @return: the server's socket that received the data.
        """
        self.assertFalse(bound.socket.getblocking() or bound.socket.get_inheritable())
        with socket.socket(bound.socket.family, bound.socket.type) as client:
            client.connect(address)
            client.send(b"hello")
            receiving = self.closeLater(bound.socket.accept()[0]) if bound.stream else bound.socket
            self.assertEqual(receiving.recv(10), b"hello")
            return receiving

    def openError(self, binding: InetBinding | UnixBinding) -> str:
        """
        The error of a socket that cannot be bound, without its binding. No descriptor is left open.
        """
        before = descriptors()
        exception = self.assertRaises(OpenError, openSockets, binding)
        self.assertEqual(descriptors(), before)
        self.assertIsInstance(exception, CannotListenError)
        text, _, cause = str(exception).rpartition(": ")
        self.assertEqual(text, str(binding))
        return cause


class InetTests(OpenCase):
    """
    TCP and UDP.
    """

    def test_served(self) -> None:
        """
        A socket serves at once, over IPv4 and IPv6. It does not block, and no child process inherits it. TCP
        connections have TCP_NODELAY. Another socket cannot be bound to the same port.
        """
        for transport, interface in product((TCP, UDP), (V4, V6)):
            bound, port = self.inet(transport, interface)
            self.assertEqual((bound.stream, bound.socket.getsockname()[0]), (transport is TCP, interface))
            receiving = self.assertServed(bound, (interface, port))
            if bound.stream:
                self.assertTrue(receiving.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            self.assertEqual(self.openError(InetBinding(transport, port, interface)), ADDRESS_IN_USE)

    def test_wildcards(self) -> None:
        """
        C{0.0.0.0} and C{::} share a port, and each serves its own family only, for any setting of bindv6only.
        """
        for transport in (TCP, UDP):
            four, port = self.inet(transport, "0.0.0.0")
            six, _ = self.inet(transport, "::", port)
            for bound, interface in ((four, V4), (six, V6)):
                self.assertServed(bound, (interface, port))
        self.assertRaises(ConnectionRefusedError, self.connect, (V4, self.inet(TCP, "::")[1]))

    def test_missingAddress(self) -> None:
        """
        An address of another host, a link that does not exist, and a folder that does not exist are errors.
        """
        missing = UnixBinding(UNIX, f"{self.folder}/missing/socket")
        self.assertEqual(self.openError(missing), "No such file or directory")
        self.assertEqual(self.openError(InetBinding(TCP, 0, "192.0.2.1")), "Cannot assign requested address")
        self.assertTrue(self.openError(InetBinding(UDP, 0, "fe80::1%nolink")))

    def test_receiveBuffer(self) -> None:
        """
        The kernel keeps as many datagrams for the server as it allows a socket without privileges, up to 1 MiB.
        """
        with socket.socket(type=socket.SOCK_DGRAM) as largest:
            largest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            expected = largest.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        for interface in (V4, V6):
            bound, _ = self.inet(UDP, interface)
            self.assertEqual(bound.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), expected)

    def test_portIsReused(self) -> None:
        """
        A port can be bound again at once, although connections to it are in TIME_WAIT.
        """
        bound, port = self.inet(TCP)
        self.connect((V4, port))
        bound.socket.accept()[0].close()
        bound.close()
        self.inet(TCP, V4, port)


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
        The file has the requested mode under any umask. The umask is restored, also after a failure.
        """
        file = self.folder / "file"
        file.touch()
        for mask in (0o000, 0o022, 0o077):
            self.addCleanup(os.umask, os.umask(mask))
            for transport, mode in product((UNIX, UNIXGRAM), (0o600, 0o660, 0o666, 0o220)):
                bound = self.unix(transport, mode)
                self.assertEqual((oct(self.mode()), oct(os.umask(mask))), (oct(mode), oct(mask)))
                bound.close()
            self.openError(UnixBinding(UNIX, str(file)))
            self.assertEqual(oct(os.umask(mask)), oct(mask))

    def test_modeAtBind(self) -> None:
        """
        The file has its mode when bind(2) returns.
        """
        modes = []
        test = self

        class ObservedSocket(socket.socket):
            def bind(self, address: Any) -> None:
                super().bind(address)
                modes.append(test.mode())

        self.patch(socket, "socket", ObservedSocket)
        self.addCleanup(os.umask, os.umask(0))
        self.unix(mode=0o640)
        self.assertEqual(modes, [0o640])

    def test_staleFileIsReplaced(self) -> None:
        """
        The file of a server that has exited is replaced, also if its socket was of the other kind.
        """
        for stale, transport in product((UNIX, UNIXGRAM), repeat=2):
            boundSocket(stale.value, self.path).close()
            bound = self.unix(transport)
            self.assertServed(bound, str(self.path))
            bound.close()

    def test_fileInUseIsNotReplaced(self) -> None:
        """
        The file of a running server of either kind is not replaced, also if its queue is full.
        """
        for live in (UNIX, UNIXGRAM):
            bound = self.unix(live)
            inode = self.path.lstat().st_ino
            for transport in (UNIX, UNIXGRAM):
                self.assertEqual(self.openError(UnixBinding(transport, str(self.path))), ADDRESS_IN_USE)
            self.assertEqual(self.path.lstat().st_ino, inode)
            with socket.socket(socket.AF_UNIX, bound.socket.type) as client:
                client.connect(str(self.path))
            bound.close()
        busy = self.closeLater(boundSocket("unix", self.path))
        busy.listen(0)
        status = 0
        while not status:
            waiting = self.closeLater(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            status = waiting.connect_ex(str(self.path))
        self.assertEqual(self.openError(UnixBinding(UNIX, str(self.path))), ADDRESS_IN_USE)
        self.assertTrue(self.path.is_socket())

    def test_otherFilesAreNotRemoved(self) -> None:
        """
        Only sockets are removed: no file, no folder, and no link, not even one to a stale socket.
        """
        file, folder, link, stale = (self.folder / name for name in ("file", "folder", "link", "stale"))
        file.write_text("text")
        folder.mkdir()
        boundSocket("unix", stale).close()
        link.symlink_to(stale)
        for path, transport in product((file, folder, link), (UNIX, UNIXGRAM)):
            self.assertEqual(self.openError(UnixBinding(transport, str(path))), ADDRESS_IN_USE)
        self.assertEqual(file.read_text(), "text")
        self.assertTrue(folder.is_dir() and link.is_symlink() and stale.is_socket())

    @asRoot
    def test_socketOfAnotherUserIsNotRemoved(self) -> None:
        """
        The stale socket of another user is not removed.
        """
        boundSocket("unix", self.path).close()
        os.chown(self.path, 65534, 65534)
        self.assertEqual(self.openError(UnixBinding(UNIX, str(self.path))), ADDRESS_IN_USE)
        self.assertEqual(self.path.lstat().st_uid, 65534)

    def test_close(self) -> None:
        """
        C{close} removes the file of a socket of either kind. It may be called twice, and after the file is removed. It
        does not remove the file of another server at the same path.
        """
        for transport, removed in product((UNIX, UNIXGRAM), (True, False)):
            bound = self.unix(transport)
            if removed:
                self.path.unlink()
            for _ in range(2):
                bound.close()
                self.assertEqual((list(self.folder.iterdir()), bound.socket.fileno()), ([], -1))
        bound = self.unix()
        self.path.unlink()
        self.unix()
        bound.close()
        self.connect(str(self.path))

    def test_closeInAnotherFolder(self) -> None:
        """
        A relative path is removed although the process has changed its folder.
        """
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        bound = self.unix(path="socket")
        self.assertTrue(self.path.is_socket())
        os.chdir("/")
        bound.close()
        self.assertFalse(self.path.exists())

    def test_anyPath(self) -> None:
        """
        A path of 107 bytes can be bound, and so can one that is not valid UTF-8.
        """
        for name in ("s" * (107 - len(str(self.folder)) - 1), "\udcff"):
            self.unix(path=self.folder / name).close()
            self.assertEqual(list(self.folder.iterdir()), [])

    def test_abstract(self) -> None:
        """
        A name in the abstract namespace makes no file. It is in use until C{close}.
        """
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        for transport in (UNIX, UNIXGRAM):
            bound = self.unix(transport, path=ABSTRACT)
            self.assertServed(bound, "\0" + ABSTRACT[1:])
            self.assertEqual(self.openError(UnixBinding(transport, ABSTRACT)), ADDRESS_IN_USE)
            self.assertEqual(list(self.folder.iterdir()), [])
            bound.close()


#: In each round 8 processes open one Unix socket at the same moment, at the path of a server that has exited. None
#: closes it until all have tried. Prints how many have it; 9 stands for an unexpected error.
RACE = """
import os, socket, sys
from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import UnixBinding
from sockservices.transports.sockets import OpenError, openSockets

path = sys.argv[1]
for number in range(40):
    if not os.path.exists(path):
        socket.socket(socket.AF_UNIX).bind(path)
    start, results, end = os.pipe(), os.pipe(), os.pipe()
    for _ in range(8):
        if not os.fork():
            os.close(start[1])
            os.close(end[1])
            os.read(start[0], 1)
            try:
                bound = openSockets(UnixBinding(Transport(("unix", "unixgram")[number % 2]), path))
                count = len(bound)
            except OpenError as error:
                count = 0 if "Address already in use" in str(error) else 9
            os.write(results[1], b"%d" % count)
            os.read(end[0], 1)
            os._exit(0)
    os.close(start[1])
    print(sum(int(os.read(results[0], 1)) for _ in range(8)))
    for descriptor in (start[0], *results, *end):
        os.close(descriptor)
    for _ in range(8):
        assert os.wait()[1] == 0
"""


class RaceTests(OpenCase):
    """
    Servers that start at the same moment.
    """

    def test_staleFile(self) -> None:
        """
        Of 8 processes that find a stale file, exactly one opens the socket, in each of 40 rounds, and nothing else is
        left in the folder.
        """
        command = [sys.executable, "-c", RACE, str(self.path)]
        race = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((race.stdout.split(), race.stderr), (["1"] * 40, ""))
        self.assertEqual(list(self.folder.iterdir()), [self.path])

    def test_lockedFolder(self) -> None:
        """
        One process at a time locks the folder. Another one that waits too long gets an error that names the folder.
        """
        with lockedFolder(self.folder):
            lock = lockedFolder(self.folder, 0.0)
            error = self.assertRaises(OSError, lock.__enter__)
            self.assertEqual(error.strerror, f"another process has locked the folder {self.folder} for 0 s")
        with lockedFolder(self.folder, 0.0):
            pass
        self.assertEqual(list(self.folder.iterdir()), [])

    @asRoot
    def test_unreadableFolder(self) -> None:
        """
        In a folder with permission to write and not to read, a socket is bound without the lock.
        """
        self.folder.chmod(0o300)
        os.chown(self.folder, 65534, 65534)
        self.addCleanup(os.chown, self.folder, 0, 0)
        os.seteuid(65534)
        self.addCleanup(os.seteuid, 0)
        self.connect(self.unix().socket.getsockname())

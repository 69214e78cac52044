"""
A systemd of its own for a test: process 1 of new namespaces, with this checkout installed in its root folder.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from tests.support.systemd_root import PROGRAM, UNITS, makeRoot
from tests.support.workers import children, waitUntil

__all__ = ["Systemd", "missingForSystemd", "waitFor"]

#: The namespaces of systemd, as options of unshare(1) and nsenter(1). A cgroup namespace is entered separately.
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")

#: setns(2): the file is a network namespace.
CLONE_NEWNET = 0x40000000

#: Seconds that a command, the start or the end of processes may take.
TIMEOUT = 30.0

#: Seconds between two runs of a command.
INTERVAL = 0.05


def waitFor(condition: Callable[[], bool]) -> None:
    """
    Wait for other processes. The condition may run a command.
    """
    waitUntil(condition, TIMEOUT, INTERVAL)


def missingForSystemd() -> str:
    """
    Why this user cannot start a L{Systemd} here, or C{""}.
    """
    if os.geteuid() != 0:
        return "only root can start systemd"
    if not PROGRAM.exists():
        return "systemd is not installed"
    for name in ("kill", "mount", "nsenter", "pivot_root", "setpriv", "unshare"):
        if not shutil.which(name):
            return f"{name} is not installed"
    try:
        _makeCgroup().rmdir()
    except OSError as error:
        return f"no cgroup can be made: {error}"
    attempt = ["unshare", "--cgroup", "--fork", *NAMESPACES, "mount", "-t", "proc", "proc", "/proc"]
    tried = subprocess.run(attempt, capture_output=True, text=True, check=False)
    return tried.stderr.strip()


def _makeCgroup() -> Path:
    """
    Make a cgroup below the one of this process.

    @raise OSError: when there is no writable hierarchy of version 2.
    """
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    hierarchy = next((fields[1] for fields in mounts if fields[2] == "cgroup2"), None)
    if hierarchy is None:
        raise FileNotFoundError("no hierarchy of version 2 is mounted")
    own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    cgroup = Path(hierarchy + own, f"sockservices-test-{os.getpid()}")
    cgroup.mkdir()
    return cgroup


class Systemd:
    """
    A context manager around a systemd. In its body, the calling thread is in the network namespace of systemd, whose
    loopback interface has all ports free. At the end, all processes are killed.

    @ivar root: the root folder of systemd, without the file systems that are mounted in it.
    @ivar units: the folder of unit files.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """
        Start systemd, and wait until it has started its units.
        """
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """
        Kill all processes, and remove all files and cgroups.
        """
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        self.root, self._errors = folder / "root", folder / "errors"
        mounts = makeRoot(self.root)
        self.units = self.root / UNITS
        self._cgroup = _makeCgroup()
        stack.callback(self._removeCgroup)
        process = stack.enter_context(self._processOne(mounts))
        waitFor(lambda: process.poll() is not None or self._isStarted(process.pid))
        assert process.poll() is None, f"systemd does not start: {self._errors.read_text()}"
        (self.pid,) = children(process.pid)
        waitFor(Path(f"/proc/{self.pid}/root/run/systemd/private").exists)
        waitFor(lambda: self.run("systemctl", "is-system-running", check=False) == "running\n")
        stack.enter_context(_networkOf(self.pid))

    @staticmethod
    def _isStarted(parent: int) -> bool:
        """
        Whether the first process of the namespaces is systemd already.
        """
        with suppress(OSError):
            return any(Path(f"/proc/{pid}/comm").read_text() == "systemd\n" for pid in children(parent))
        return False

    @contextmanager
    def _processOne(self, mounts: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """
        Run systemd, and kill all of its processes: the kernel does this when process 1 of their namespace ends.
        """
        init = Path(__file__).with_name("systemd_init.sh")
        # unshare(1) makes the present cgroup of the process the root of its namespace.
        enterCgroup = 'echo 0 >"$0/cgroup.procs" && exec unshare --cgroup sh "$@"'
        unshare = ("unshare", *NAMESPACES, "--fork", "--kill-child", "sh", "-c", enterCgroup, str(self._cgroup))
        command = ["setpriv", "--pdeathsig", "KILL", *unshare, str(init), str(self.root), *mounts]
        # unshare(1) reports an error of its own when SIGKILL has ended its child.
        with (
            self._errors.open("w") as errors,
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors) as process,
        ):
            try:
                yield process
            finally:
                for pid in children(process.pid):
                    os.kill(pid, signal.SIGKILL)

    def _removeCgroup(self) -> None:
        def removed() -> bool:
            with suppress(OSError):
                for folder, _, _ in os.walk(self._cgroup, topdown=False):
                    Path(folder).rmdir()
            return not self._cgroup.exists()

        # A killed process is in its cgroup until the kernel has released it.
        waitFor(removed)

    def run(self, *command: str, check: bool = True) -> str:
        """
        Run a command in the namespaces.

        @return: its output, standard error included.
        """
        enter = ["nsenter", f"--target={self.pid}", "--cgroup", *NAMESPACES, "--root", "--wd"]
        ended = subprocess.run(
            [*enter, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert not check or ended.returncode == 0, f"{command}: status {ended.returncode}: {ended.stdout}"
        return ended.stdout

    def systemctl(self, *arguments: str) -> str:
        """
        Run C{systemctl}, which must succeed.
        """
        return self.run("systemctl", *arguments)

    def edit(self, unit: str, lines: str) -> None:
        """
        Add lines to a unit, as C{systemctl edit} does.
        """
        folder = self.units / f"{unit}.d"
        folder.mkdir(exist_ok=True)
        (folder / "override.conf").write_text(lines)
        self.systemctl("daemon-reload")

    def property(self, unit: str, name: str) -> str:
        """
        A property of a unit, as systemctl(1) shows it.
        """
        return self.systemctl("show", "--value", f"--property={name}", unit).strip()

    def journal(self, unit: str) -> list[str]:
        """
        The lines of the journal for a unit.
        """
        return self.run("journalctl", "--output=cat", f"--unit={unit}").splitlines()

    def processes(self, unit: str) -> list[int]:
        """
        The process ids of a unit outside of the namespaces. The first one is the oldest process.
        """
        cgroup = self.property(unit, "ControlGroup")
        with suppress(FileNotFoundError):
            return [int(each) for each in Path(f"{self._cgroup}{cgroup}/cgroup.procs").read_text().split()]
        return []


@contextmanager
def _networkOf(pid: int) -> Iterator[None]:
    """
    Move the calling thread into the network namespace of a process.
    """
    setns = ctypes.CDLL(None, use_errno=True).setns
    with Path("/proc/thread-self/ns/net").open() as own, Path(f"/proc/{pid}/ns/net").open() as other:
        assert setns(other.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert setns(own.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

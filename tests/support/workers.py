"""
A server process with several workers, and clients that load it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.twistd import Twistd, environment

__all__ = ["EchoLoad", "WorkerServer", "breakWorkers", "children", "echo", "isRunning", "listens", "waitUntil"]

MIB = 1 << 20


def waitUntil(condition: Callable[[], bool], seconds: float = 10, interval: float = 0.01) -> None:
    """
    Wait for other processes.

    @param seconds: the timeout.
    @param interval: the seconds between two checks.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timeout"
        time.sleep(interval)


def echo(address: tuple[str, int], data: bytes = b"hello") -> bytes:
    """
    Send data, end the output, and receive until the end of the input.
    """
    with socket.create_connection(address, 20) as client:
        writer = threading.Thread(target=_sendAll, args=(client, data))
        writer.start()
        received = bytearray()
        try:
            while part := client.recv(65536):
                received += part
        finally:
            writer.join()
        return bytes(received)


def _sendAll(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)


def listens(address: tuple[str, int]) -> bool:
    """
    Whether a process listens at an address.
    """
    with socket.socket() as client:
        return client.connect_ex(address) == 0


def breakWorkers(folder: Path) -> dict[str, str]:
    """
    An environment in which each worker prints the text of a file and ends, while the file exists.
    """
    code = (
        "import os, sys\n"
        f"path = {str(folder / 'broken')!r}\n"
        "if 'sockservices.workers' in sys.orig_argv and os.path.exists(path):\n"
        "    os.write(2, open(path, 'rb').read())\n"
        "    os._exit(3)\n"
    )
    (folder / "sitecustomize.py").write_text(code)
    variables = environment()
    return variables | {"PYTHONPATH": f"{folder}{os.pathsep}{variables['PYTHONPATH']}"}


class WorkerServer(Twistd):
    """
    A server with workers.
    """

    @property
    def workers(self) -> list[int]:
        """
        The process ids of its workers; none after it has ended.
        """
        return children(self.pid)

    def kill(self, *pids: int) -> None:
        """
        Kill processes, and wait until they are gone.
        """
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        waitUntil(lambda: not any(map(isRunning, pids)))


def children(pid: int) -> list[int]:
    """
    The process ids of the children of a process; none after it has ended.
    """
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def isRunning(pid: int) -> bool:
    """
    Whether a process runs: a zombie does not.
    """
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class EchoLoad:
    """
    A number of threads, each of which has one conversation of 1 MiB after the other.

    @ivar done: the number of complete conversations.
    @ivar failures: what went wrong in the others.
    """

    def __init__(self, address: tuple[str, int], threads: int = 50) -> None:
        self.done = 0
        self.failures: list[str] = []
        self._address = address
        self._sent = os.urandom(MIB)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                received = echo(self._address, self._sent)
            except OSError as error:
                self.failures.append(repr(error))
            else:
                if received == self._sent:
                    self.done += 1
                else:
                    self.failures.append(f"{len(received)} bytes received")

    @contextmanager
    def running(self) -> Iterator[None]:
        """
        Run, and let each thread end its last conversation.
        """
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join()

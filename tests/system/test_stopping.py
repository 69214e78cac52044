"""
The stop of a server process: it serves the connections that it has accepted, and ends within --drain.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sockservices.transports.stream_port import ACCEPTS_PER_TURN
from tests.support.twistd import COMMAND, Twistd, environment
from tests.support.watched import exchange, readToEnd

MIB = 1 << 20


def fillBuffers(peer: socket.socket) -> None:
    """
    Send until all buffers of a connection are full.
    """
    peer.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            peer.send(bytes(65536))


def test_acceptedConnectionsAreServedInFull() -> None:
    """
    SIGTERM in the middle of 50 echoes of 1 MiB: all echoes are whole, connections in the listen queue included. Quiet
    peers get a clean end at once, peers that do not read a reset at the end; new connections are refused (T20).
    """
    sent = os.urandom(MIB)
    whole: list[bool] = []
    with Twistd("--service", "echo=0", "--drain", "3", "--stall-timeout", "60") as server, ExitStack() as stack:
        address = server.address("echo")
        halfway = threading.Barrier(51)
        stopped = threading.Event()

        def converse() -> None:
            with socket.create_connection(address, 20) as client:
                received = bytearray()
                reader = threading.Thread(target=lambda: received.extend(readToEnd(client)))
                reader.start()
                client.sendall(sent[: MIB // 2])
                halfway.wait()
                stopped.wait()
                client.sendall(sent[MIB // 2 :])
                client.shutdown(socket.SHUT_WR)
                reader.join()
                whole.append(received == sent)

        clients = [threading.Thread(target=converse) for _ in range(50)]
        for client in clients:
            client.start()
        quiet = [stack.enter_context(socket.create_connection(address, 5)) for _ in range(5)]
        stalled = [stack.enter_context(socket.create_connection(address, 5)) for _ in range(5)]
        for peer in stalled:
            fillBuffers(peer)
        halfway.wait()

        # A stopped process accepts nothing: more connections are in the listen queue when the signal comes than the
        # server accepts in two turns of its reactor.
        os.kill(server.pid, signal.SIGSTOP)
        waiting = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(3 * ACCEPTS_PER_TURN)]
        for peer in waiting:
            peer.sendall(b"in the queue")
            peer.shutdown(socket.SHUT_WR)
        os.kill(server.pid, signal.SIGTERM)
        os.kill(server.pid, signal.SIGCONT)
        startedAt = time.monotonic()
        stopped.set()

        for peer in waiting:
            assert readToEnd(peer) == b"in the queue"
        # The replies may arrive before the reactor handles the signal.
        server.waitFor("stopping: ")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 1)
        for peer in quiet:
            assert peer.recv(1) == b""
        assert time.monotonic() - startedAt < 1
        for client in clients:
            client.join()
        assert whole == [True] * 50
        assert server.wait() == -signal.SIGTERM
        assert 2.5 < time.monotonic() - startedAt < 4
        for peer in stalled:
            peer.settimeout(10)
            with pytest.raises(ConnectionResetError):
                readToEnd(peer)


def test_endlessOutputEndsCleanly() -> None:
    """
    A reader of chargen gets the end of the current line, and then a FIN.
    """
    with Twistd("--service", "chargen=0") as server:
        with socket.create_connection(server.address("chargen"), 5) as client:
            os.kill(server.pid, signal.SIGTERM)
            assert readToEnd(client).endswith(b"\r\n")
        assert server.wait() == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_theSecondSignalEndsAtOnce(number: signal.Signals) -> None:
    """
    The first signal waits for a busy peer, the second does not. The process ends by the signal (T21).
    """
    with Twistd("--service", "echo=0", "--drain", "20") as server:
        with socket.create_connection(server.address("echo"), 5) as client:
            exchange(client)
            fillBuffers(client)
            os.kill(server.pid, number)
            server.waitFor("stopping: 1 connection")
            startedAt = time.monotonic()
            os.kill(server.pid, number)
            assert server.wait() == -number
            assert time.monotonic() - startedAt < 0.5
        assert "ReactorNotRunning" not in server.log


def test_drainOfZeroResetsAtOnce() -> None:
    """
    With --drain 0 the first signal resets all peers at once.
    """
    with (
        Twistd("--service", "echo=0", "--drain", "0") as server,
        socket.create_connection(server.address("echo"), 5) as client,
    ):
        exchange(client)
        startedAt = time.monotonic()
        server.stop()
        assert time.monotonic() - startedAt < 0.5


def test_anEndlessDrainStillStops() -> None:
    """
    The drain ends with the last conversation, however long --drain is.
    """
    with Twistd("--service", "echo=0", "--drain", "1e9") as server:
        server.stop()


def test_anIgnoredInterruptStaysIgnored() -> None:
    """
    A SIGINT that was ignored at the start, as by a shell for background processes, does not stop the server.
    """
    command = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh", *COMMAND)
    with Twistd("--service", "echo=0", command=command) as server:
        os.kill(server.pid, signal.SIGINT)
        with socket.create_connection(server.address("echo"), 5) as client:
            exchange(client)
        assert server.stop() == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_otherSignalsAreLogged(number: signal.Signals) -> None:
    """
    SIGHUP, and SIGUSR1 without a log file, log a line. Conversations continue (T22).
    """
    with Twistd("--service", "echo=0") as server:
        with socket.create_connection(server.address("echo"), 5) as client:
            for _ in range(100):
                os.kill(server.pid, number)
                exchange(client)
        server.waitFor(number.name)


def test_datagramsThatWaitAreAnswered() -> None:
    """
    Datagrams that arrived before the signal are answered.
    """
    with Twistd("--listen", "echo=udp:0") as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(server.address("echo", "udp"))
        os.kill(server.pid, signal.SIGSTOP)
        for number in range(10):
            client.send(bytes([number]))
        os.kill(server.pid, signal.SIGTERM)
        os.kill(server.pid, signal.SIGCONT)
        assert [client.recv(1) for _ in range(10)] == [bytes([number]) for number in range(10)]
        assert server.wait() == -signal.SIGTERM


#: Becomes a server that gets a signal while it opens its sockets, or before its reactor runs.
SIGNALLED = """
import os, socket, sys
from twisted.scripts import _twistd_unix, twistd
moment, number = sys.argv.pop(1), int(sys.argv.pop(1))
owner, name = (socket.socket, "bind") if moment == "opening" else (_twistd_unix.UnixApplicationRunner, "shedPrivileges")
function = getattr(owner, name)
def signalled(*arguments):
    function(*arguments)
    os.kill(os.getpid(), number)
setattr(owner, name, signalled)
twistd.run()
"""


@pytest.mark.parametrize("moment", ["opening", "starting"])
class TestSignalsDuringTheStart:
    """
    Signals that come before the server is ready.
    """

    def start(self, moment: str, number: signal.Signals, folder: Path) -> Twistd:
        """
        Start a server with a Unix socket and a pid file.
        """
        command = (sys.executable, "-c", SIGNALLED, moment, str(int(number)), "-n", "sockservices")
        return Twistd("--listen", "echo=unix:socket", command=command, cwd=folder)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_aStopLeavesNoFile(self, moment: str, number: signal.Signals, tmp_path: Path) -> None:
        """
        A signal to stop takes effect when the server is ready. The process ends by it, and leaves no file.
        """
        server = self.start(moment, number, tmp_path)
        assert server.wait() == -number
        assert "ready: 1 listener" in server.log
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
    def test_otherSignalsDoNotEndTheStart(self, moment: str, number: signal.Signals, tmp_path: Path) -> None:
        """
        SIGHUP and SIGUSR1 do not end the start.
        """
        with self.start(moment, number, tmp_path) as server:
            server.waitFor(number.name if moment == "starting" else "ready")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_anotherUserRemovesTheSocket() -> None:
    """
    A server that runs with --uid removes its Unix socket if its folder belongs to that user.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, 65534, 65534)
        command = (*COMMAND[:-1], "--uid", "65534", "--gid", "65534", "sockservices")
        with Twistd("--listen", f"echo=unix:{folder}/socket", command=command):
            assert (folder / "socket").is_socket()
        assert list(folder.iterdir()) == []


class TestStalledLogReader:
    """
    A process that reads the server's log, and stops reading.
    """

    @pytest.fixture
    def log(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, int, str]]:
        """
        The reader's descriptor, the server's standard output, and the server's --logfile.
        """
        logfile = "-"
        if request.param == "pipe":
            reader, output = os.pipe()
        elif request.param == "terminal":
            reader, output = pty.openpty()
        elif request.param == "socket":
            reader, output = (end.detach() for end in socket.socketpair())
        else:
            logfile = str(tmp_path / "fifo")
            os.mkfifo(logfile)
            reader = os.open(logfile, os.O_RDWR)
            output = os.open(os.devnull, os.O_WRONLY)
        yield reader, output, logfile
        os.close(reader)
        os.close(output)

    @pytest.mark.parametrize(
        ("log", "logFormat"),
        [("pipe", "text"), ("pipe", "json"), ("terminal", "text"), ("socket", "json"), ("FIFO", "text")],
        indirect=["log"],
    )
    def test_theServerServesAndStops(self, logFormat: str, log: tuple[int, int, str], tmp_path: Path) -> None:
        """
        Without a reader the server echoes 4,000 messages and fills the log's pipe. A later line gives the number of
        dropped lines, and SIGTERM stops the server although the reader has stalled again.
        """
        reader, output, logfile = log
        path = str(tmp_path / "socket")
        command = ("-n", "--pidfile=", f"--logfile={logfile}", "sockservices", "--listen", f"echo=unix:{path}")
        server = subprocess.Popen(
            [*COMMAND[:3], *command, "--show", "--log-format", logFormat], stdout=output, env=environment()
        )
        message = b"#".ljust(70, b".")
        received = b""

        def read(pattern: bytes) -> re.Match[bytes]:
            nonlocal received
            while not (match := re.search(pattern, received)):
                assert select.select([reader], [], [], 10)[0], received
                received += os.read(reader, 65536)
            return match

        def converse() -> None:
            for _ in range(4000):
                client.sendall(message)
                assert client.recv(100) == message

        with ExitStack() as stack:
            stack.callback(server.wait)
            stack.callback(server.kill)
            read(b"ready: 1 listener")
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(5)
            client.connect(path)
            converse()
            dropped = int(read(rb"(\d+) log lines dropped")[1])
            assert (dropped > 0, received.count(b"'#..") + dropped) == (True, 4000)
            converse()
            server.terminate()
            assert server.wait(3) == -signal.SIGTERM

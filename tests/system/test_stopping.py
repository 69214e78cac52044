"""
A real server that is told to stop: what has been accepted is served, and the end comes within its limit.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from tests.support.twistd import COMMAND, Twistd
from tests.support.watched import readToEnd, sender

MIB = 1 << 20


def stuff(peer: socket.socket) -> None:
    """
    Send as much as goes, and read nothing.
    """
    peer.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            peer.send(bytes(65536))


def test_whatWasAcceptedIsServedInFull() -> None:
    """
    SIGTERM in the middle of 50 echoes of 1 MiB, with quiet peers, peers that do not read, and peers not yet accepted:
    all echoes are whole, the quiet ones end cleanly at once, the others are reset at the end, new ones refused (T20).
    """
    sent = os.urandom(MIB)
    whole: list[bool] = []
    with Twistd("--service", "echo=0", "--drain", "3", "--stall-timeout", "60") as server, ExitStack() as stack:
        address = server.address("echo")
        halfway = threading.Barrier(51)
        told = threading.Event()

        def converse() -> None:
            with socket.create_connection(address, 20) as client:
                received = bytearray()
                reader = threading.Thread(target=lambda: received.extend(readToEnd(client)))
                reader.start()
                client.sendall(sent[: MIB // 2])
                halfway.wait()
                told.wait()
                client.sendall(sent[MIB // 2 :])
                client.shutdown(socket.SHUT_WR)
                reader.join()
                whole.append(received == sent)

        clients = [threading.Thread(target=converse) for _ in range(50)]
        for client in clients:
            client.start()
        quiet = [stack.enter_context(socket.create_connection(address, 5)) for _ in range(5)]
        deaf = [stack.enter_context(socket.create_connection(address, 5)) for _ in range(5)]
        for peer in deaf:
            stuff(peer)
        halfway.wait()

        # Stopped, it accepts nothing: ten wait in the queue of the kernel when the signal comes.
        os.kill(server.pid, signal.SIGSTOP)
        waiting = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(10)]
        for peer in waiting:
            sender(peer, b"I was waiting").join()
        os.kill(server.pid, signal.SIGTERM)
        os.kill(server.pid, signal.SIGCONT)
        began = time.monotonic()
        told.set()

        for peer in waiting:
            assert readToEnd(peer) == b"I was waiting"
        # All of that may go on before the reactor comes to the signal.
        server.waitFor("stopping: ")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 1)
        for peer in quiet:
            assert peer.recv(1) == b""
        assert time.monotonic() - began < 1
        for client in clients:
            client.join()
        assert whole == [True] * 50
        assert server.wait() == -signal.SIGTERM
        assert 2.5 < time.monotonic() - began < 4
        for peer in deaf:
            peer.settimeout(10)
            with pytest.raises(ConnectionResetError):
                readToEnd(peer)


def test_endlessTalkEndsCleanly() -> None:
    """
    A reader of the character generator gets the line it is in the middle of, and then the end.
    """
    with Twistd("--service", "chargen=0") as server:
        with socket.create_connection(server.address("chargen"), 5) as client:
            os.kill(server.pid, signal.SIGTERM)
            assert readToEnd(client).endswith(b"\r\n")
        assert server.wait() == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_theSecondSignalEndsAtOnce(number: signal.Signals) -> None:
    """
    The first signal waits for a busy peer, the second does not; the status is that of the signal (T21).
    """
    with Twistd("--service", "echo=0", "--drain", "20") as server:
        with socket.create_connection(server.address("echo"), 5) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            stuff(client)
            os.kill(server.pid, number)
            server.waitFor("stopping: 1 connections")
            began = time.monotonic()
            os.kill(server.pid, number)
            assert server.wait() == -number
            assert time.monotonic() - began < 0.5
        assert "ReactorNotRunning" not in server.log


def test_aDrainOfNothingEndsAtOnce() -> None:
    """
    With --drain 0 the first signal waits for nobody.
    """
    with (
        Twistd("--service", "echo=0", "--drain", "0") as server,
        socket.create_connection(server.address("echo"), 5) as client,
    ):
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 0.5


def test_anEndlessDrainStillStops() -> None:
    """
    However long the drain may take, it takes no longer than the last conversation.
    """
    with Twistd("--service", "echo=0", "--drain", "1e9") as server:
        server.stop()


def test_anIgnoredInterruptStaysIgnored() -> None:
    """
    As a shell starts what runs in the background; SIGTERM stops it as ever.
    """
    command = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh", *COMMAND)
    with Twistd("--service", "echo=0", command=command) as server:
        os.kill(server.pid, signal.SIGINT)
        with socket.create_connection(server.address("echo"), 5) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
        assert server.stop() == -signal.SIGTERM


def test_rotatingNothingDoesNotEndIt() -> None:
    """
    SIGUSR1, where the log is no file, costs a line.
    """
    with Twistd("--service", "echo=0") as server:
        os.kill(server.pid, signal.SIGUSR1)
        server.waitFor("SIGUSR1")


def test_hangUpDoesNotEndIt() -> None:
    """
    SIGHUP, a hundred times, costs a line each and nothing else (T22).
    """
    with Twistd("--service", "echo=0") as server:
        with socket.create_connection(server.address("echo"), 5) as client:
            for _ in range(100):
                os.kill(server.pid, signal.SIGHUP)
                client.sendall(b"a")
                assert client.recv(1) == b"a"
        server.waitFor("SIGHUP")


def test_datagramsThatWaitAreAnswered() -> None:
    """
    What came before the signal is answered.
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

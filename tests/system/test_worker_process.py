"""
One worker, whose supervisor is the test.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from sockservices.server.worker_command import workerCommand
from sockservices.workers.descriptors import COMMANDS, COUNTERS, MESSAGES, SOCKETS, STOP
from sockservices.workers.settings import WorkerSettings
from sockservices.workers.shared_counters import SharedCounters
from tests.support.twistd import environment
from tests.support.workers import waitUntil

SETTINGS = WorkerSettings(
    worker=1,
    slot=0,
    reactor="twisted.internet.epollreactor",
    descriptors=None,
    seed=1,
    services=["echo"],
    sockets=[(0, False, True)],
)

OPTIONS = ["--proto", "udp", "--service", "echo=0", "--show", "--workers", "2"]


def startWorker(descriptors: dict[int, int]) -> int:
    """
    Start the worker.

    @param descriptors: its descriptors, and those of this process.
    @return: its process id.
    """
    copies = {child: fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 100) for child, each in descriptors.items()}
    try:
        command = workerCommand(json.dumps(asdict(SETTINGS)), OPTIONS)
        actions = [(os.POSIX_SPAWN_DUP2, copy, child) for child, copy in copies.items()]
        return os.posix_spawn(command[0], command, environment(), file_actions=actions)
    finally:
        for copy in copies.values():
            os.close(copy)


def test_totalsAfterDroppedLines() -> None:
    """
    The last totals are complete, also if the supervisor has read so slowly that the worker has dropped lines of the
    log.
    """
    with ExitStack() as stack:
        server, client = (stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2))
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        client.connect(server.getsockname())
        client.settimeout(10)
        memory = SharedCounters.create(1)
        commandReader, commands = os.pipe()
        messages, messageWriter = os.pipe()
        pid = startWorker(
            {COMMANDS: commandReader, MESSAGES: messageWriter, COUNTERS: memory, SOCKETS: server.fileno()}
        )
        for descriptor in (memory, commandReader, messageWriter):
            os.close(descriptor)
        for _ in range(100):
            client.send(b"\xff" * 4000)
            client.recv(4000)
        os.write(commands, STOP)
        link = Path(f"/proc/{pid}/fd/{SOCKETS}")
        waitUntil(lambda: not link.exists())
        with os.fdopen(messages) as pipe:
            lines = [json.loads(line) for line in pipe]
        os.waitpid(pid, 0)
        os.close(commands)
    totals = [line["totals"] for line in lines if "totals" in line]
    assert totals[-1]["datagrams"]["echo"]["outcomes"] == {"done": 100}
    assert any("log lines dropped" in line.get("event", "") for line in lines)

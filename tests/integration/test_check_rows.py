"""
The rows of C{sockservices check} in a pipe, and the names of their results.
"""

from __future__ import annotations

import json
import select
import socket
from contextlib import AbstractContextManager
from functools import partial
from itertools import zip_longest

import pytest
from twisted.internet.protocol import DatagramProtocol

from sockservices.testing.background_reactor import BackgroundReactor
from tests.support.commands import COMMAND, Run, terminal, waitForExit
from tests.support.inetd import freePorts
from tests.support.plain_servers import streamServer

LOOPBACK = "127.0.0.1"


class EmptyReplies(DatagramProtocol):
    """
    Replies to each datagram with an empty one.
    """

    noisy = False

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        """
        Reply.
        """
        self.transport.write(b"", addr)  # type: ignore[union-attr, arg-type]


def rows(out: bytes) -> list[list[str]]:
    """
    Split the output into rows and columns.
    """
    return [line.split("\t") for line in out.decode().splitlines()]


def sending(data: bytes) -> AbstractContextManager[str]:
    """
    Serve streams that send data and stay open until the client closes.
    """

    def serve(connection: socket.socket) -> None:
        connection.sendall(data)
        poll = select.poll()
        # POLLHUP: the client has reset the connection. Until then there is no FIN.
        poll.register(connection, 0)
        poll.poll(5000)

    return streamServer(serve)


def test_columns(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In a pipe each row is one line, for any width of the terminal: service, transport, port, result, statement with its
    source, and for a row that does not pass the observed and the expected behaviour. The counts go to standard error.
    """
    monkeypatch.setenv("COLUMNS", "40")
    long = b"an answer that is much longer than the width of a terminal with forty columns"
    with sending(long) as url:
        port = url.rpartition(":")[2]
        arguments = ("check", LOOPBACK, f"--ports=greet={port}", "--timeout=0.2")
        done = run(*arguments)
        asJson = json.loads(run(*arguments, "--json").out)
    assert done.status == 2
    for columns, row in zip_longest(rows(done.out), asJson):
        expected = [row["service"], row["transport"], port, row["result"]]
        if row["result"] == "not offered":
            expected += ["is offered", "refused: nothing listens on this port"]
        else:
            expected += [f"{row['sentence']} ({row['source']})"]
            expected += [f"seen: {row['seen']}", f"expected: {row['expected']}"] if row["expected"] else []
        assert columns == expected
    assert any(len(line) > 100 for line in done.out.splitlines())
    assert done.err == f"{LOOPBACK}: 0 pass, 3 fail, 0 limited, 1 not offered\n"


def test_failures(run: Run) -> None:
    """
    The option --failures prints the rows that fail alone; counts and exit status are those of all rows.
    """
    with sending(b"hello") as url:
        arguments = ("check", LOOPBACK, f"--ports=greet={url.rpartition(':')[2]}", "--timeout=0.2")
        every, failures, asJson = (
            run(*arguments),
            run(*arguments, "--failures"),
            run(*arguments, "--failures", "--json"),
        )
    assert {row[3] for row in rows(every.out)} == {"fail", "not offered"}
    assert rows(failures.out) == [row for row in rows(every.out) if row[3] == "fail"]
    assert (failures.status, failures.err) == (every.status, every.err)
    assert {row["result"] for row in json.loads(asJson.out)} == {"fail"}


@pytest.mark.parametrize(
    ("transport", "verdict", "reason"),
    [
        ("udp", "timeout", "no reply to any datagram: a firewall drops them, or the service does not reply"),
        ("tcp", "no-connection", "no answer to the connection attempt: filtered, or the listener's queue is full"),
    ],
)
def test_notOffered(transport: str, verdict: str, reason: str, run: Run) -> None:
    """
    A row of a service that is not offered gives the reason as a verdict and as a sentence.
    """
    with socket.socket(type=socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM) as silent:
        silent.bind((LOOPBACK, 0))
        held = []
        if transport == "tcp":
            silent.listen(0)
            held.append(socket.create_connection(silent.getsockname()))
        done = run("check", LOOPBACK, f"--ports=echo={silent.getsockname()[1]}", "--timeout=0.2")
        for each in held:
            each.close()
    (row,) = (row for row in rows(done.out) if row[1] == transport)
    assert row[3:] == ["not offered", "is offered", f"{verdict}: {reason}"]


def test_emptyReply(run: Run) -> None:
    """
    An empty datagram and no reply have different names.
    """
    (port,) = freePorts(1)
    with BackgroundReactor() as background:
        listen = partial(background.reactor.listenUDP, port, EmptyReplies(), interface=LOOPBACK)
        background.call(listen)
        done = run("check", LOOPBACK, f"--ports=hello={port}", "--timeout=0.2", "--json", "--failures")
    assert [row["seen"] for row in json.loads(done.out)] == ["an empty datagram"]


def test_terminalReason() -> None:
    """
    The table at a terminal has the sentence too.
    """
    (port,) = freePorts(1)
    with terminal(*COMMAND, "check", LOOPBACK, f"--ports=echo={port}") as child:
        status, out = waitForExit(child)
    assert status == 10
    assert b"refused: nothing listens on this port" in out

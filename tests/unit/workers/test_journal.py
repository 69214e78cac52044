"""
The journal of several workers.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sockservices.monitoring.journal_file import ListenerJournal
from sockservices.workers.journal import SharedJournal, WorkerJournal


@pytest.fixture(name="path")
def journalPath(tmp_path: Path) -> Path:
    """
    The path of the journal.
    """
    return tmp_path / "journal"


@pytest.fixture(name="shared")
def openJournal(path: Path) -> SharedJournal:
    """
    The journal of the supervisor, which has opened the file.
    """
    shared = SharedJournal(str(path))
    shared.open()
    return shared


def workers(shared: SharedJournal, count: int = 2, **options: Any) -> list[WorkerJournal]:
    """
    The journals of so many workers.
    """
    return [WorkerJournal("journal", shared.descriptor, number + 1, **options) for number in range(count)]


def write(worker: WorkerJournal, data: bytes) -> None:
    """
    Write an entry of a new conversation.
    """
    ListenerJournal(worker, "echo").add("in", worker.begin(), "192.0.2.7:40000", data)


def read(path: Path) -> list[Any]:
    """
    The objects in the file.
    """
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_conversations(path: Path, shared: SharedJournal) -> None:
    """
    The workers write to one file. The numbers of their conversations are unique.
    """
    first, second = workers(shared)
    for worker in (first, second, first):
        worker.open()
        write(worker, b"hello")
    shared.close()
    entries = read(path)
    assert [entry["data"]["text"] for entry in entries] == ["hello"] * 3
    assert [entry["conversation"] for entry in entries] == [1, (1 << 40) + 1, 2]


def test_limit(path: Path, shared: SharedJournal) -> None:
    """
    The limit holds for the whole file. Its last line counts the entries that all workers have left out.
    """
    first, second = workers(shared, maxSize=1000)
    for _ in range(3):
        write(first, b"x" * 50)
        write(second, b"x" * 50)
    assert path.stat().st_size <= 1000
    for worker in (first, second):
        worker.close()
        shared.workerEnded(worker.leftOut, worker.leftOutBytes)
    assert not any("leftOut" in entry for entry in read(path))
    entries = len(read(path))
    assert 0 < entries < 6
    shared.close()
    assert read(path)[entries:] == [{"leftOut": 6 - entries, "leftOutBytes": 50 * (6 - entries)}]


def test_incompleteLines(path: Path, shared: SharedJournal) -> None:
    """
    Of each line that a worker was killed in, no part remains. The lines of the others are complete.
    """
    _, other = workers(shared)
    parts = [b"{", b'{"time": 1.5, "data": {"text": "{\\"time\\": 1', b'{"time": 1.5, "da']
    for part in parts:
        write(other, b"before")
        os.write(shared.descriptor, part)
        write(other, b"after")
        shared.workerEnded(0, 0)
        assert read(path)[-1]["data"]["text"] == "after"
    os.write(shared.descriptor, parts[0])
    shared.workerEnded(0, 0)
    os.write(shared.descriptor, parts[1])
    write(other, b"last")
    os.write(shared.descriptor, parts[2])
    shared.workerEnded(3, 30)
    shared.close()
    *entries, last = read(path)
    assert [entry["data"]["text"] for entry in entries] == ["before", "after"] * 3 + ["last"]
    assert last == {"leftOut": 3, "leftOutBytes": 30}


def test_truncatedFile(path: Path, shared: SharedJournal) -> None:
    """
    When another program empties the file, the workers continue at its beginning.
    """
    (worker,) = workers(shared, 1)
    write(worker, b"before")
    shared.workerEnded(0, 0)
    os.truncate(path, 0)
    shared.workerEnded(0, 0)
    write(worker, b"after")
    os.write(shared.descriptor, b"{")
    shared.workerEnded(0, 0)
    shared.close()
    assert [entry["data"]["text"] for entry in read(path)] == ["after"]

"""
What running processes cost, as Linux tells it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["cores", "cpu", "memory", "pinned"]

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """
    /proc/PID/stat from the third word on, which is after the name of the program.
    """
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def tree(pid: int) -> list[int]:
    """
    A process and all that descend from it.
    """
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    found = [pid]
    for each in found:
        found.extend(child for child, parent in parents.items() if parent == each)
    return found


def cpu(pid: int) -> float:
    """
    The seconds of processor time, user and system, that a process and its descendants have used.

    The clock of a process counts nanoseconds, ended threads too. What its ended children have used is known in ticks.
    """
    seconds = 0.0
    for each in tree(pid):
        with suppress(OSError):
            ended = _stat(each)[13:15]
            # The clock id that clock_getcpuclockid(3) gives, which the standard library has for threads only.
            seconds += time.clock_gettime((~each << 3) | 2) + sum(map(int, ended)) / TICKS
    return seconds


def memory(pid: int) -> float:
    """
    The KiB that a process has resident, and that each of its descendants has to itself.
    """
    kibibytes = 0
    for each in tree(pid):
        wanted = ("Rss:",) if each == pid else ("Private_Clean:", "Private_Dirty:")
        with suppress(OSError):
            lines = (PROC / str(each) / "smaps_rollup").read_text().splitlines()
            kibibytes += sum(int(line.split()[1]) for line in lines if line.startswith(wanted))
    return float(kibibytes)


def cores() -> tuple[int, int] | None:
    """
    A core for the server and another for the load, which are no two threads of one; L{None} where there is only one.
    """
    load, *others = sorted(os.sched_getaffinity(0))
    topology = Path(f"/sys/devices/system/cpu/cpu{load}/topology/thread_siblings_list")
    siblings = topology.read_text() if topology.exists() else ""
    same = {int(number) for number in siblings.replace("-", ",").split(",") if number.strip()}
    apart = [core for core in others if core not in same] or others
    return (apart[0], load) if apart else None


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """
    What is started in the body runs on that core only.
    """
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

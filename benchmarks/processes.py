"""
Processor time, memory and cores of running processes, from Linux.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["chooseCores", "cpuClock", "cpuSeconds", "memoryKiB", "pinnedTo", "processesWithoutChild"]

PROC = Path("/proc")
#: The unit of processor times in /proc/PID/stat.
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """
    Read /proc/PID/stat from its third field on. The second field, the program's name, may contain spaces.
    """
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _parents() -> dict[int, int]:
    """
    Find the parent of each process.
    """
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    return parents


def processTree(pid: int, parents: Mapping[int, int] | None = None) -> list[int]:
    """
    List a process and its descendants.

    @param parents: the parent of each process, if it is known.
    """
    parents = _parents() if parents is None else parents
    found = [pid]
    for each in found:
        found.extend(child for child, parent in parents.items() if parent == each)
    return found


def processesWithoutChild(pid: int) -> list[int]:
    """
    List those of a process and its descendants that have no child.
    """
    parents = _parents()
    return [each for each in processTree(pid, parents) if each not in parents.values()]


def cpuClock(pid: int) -> float:
    """
    Read the processor time, user and system, of one process, in seconds. It includes threads that have ended.
    """
    # The clock id of clock_getcpuclockid(3): the standard library offers that function for threads only.
    return time.clock_gettime((~pid << 3) | 2)


def cpuSeconds(pid: int) -> float:
    """
    Add up the processor time, user and system, of a process and its descendants, in seconds.

    The clock of a process counts nanoseconds and includes threads that have ended. The time of children that have ended
    is known in ticks only.
    """
    seconds = 0.0
    for each in processTree(pid):
        with suppress(OSError):
            endedChildren = _stat(each)[13:15]
            seconds += cpuClock(each) + sum(map(int, endedChildren)) / TICKS_PER_SECOND
    return seconds


def memoryKiB(pid: int) -> float:
    """
    Add up the resident memory of a process and the private memory of its descendants, in KiB.
    """
    kibibytes = 0
    for each in processTree(pid):
        fields = ("Rss:",) if each == pid else ("Private_Clean:", "Private_Dirty:")
        with suppress(OSError):
            lines = (PROC / str(each) / "smaps_rollup").read_text().splitlines()
            kibibytes += sum(int(line.split()[1]) for line in lines if line.startswith(fields))
    return float(kibibytes)


def chooseCores() -> tuple[int, int] | None:
    """
    Choose a core for the server and one for the load generator, if possible not two hardware threads of one core.

    @return: L{None} if this process may use one core only.
    """
    load, *others = sorted(os.sched_getaffinity(0))
    topology = Path(f"/sys/devices/system/cpu/cpu{load}/topology/thread_siblings_list")
    siblings = topology.read_text() if topology.exists() else ""
    threads = {int(number) for number in siblings.replace("-", ",").split(",") if number.strip()}
    candidates = [core for core in others if core not in threads] or others
    return (candidates[0], load) if candidates else None


@contextmanager
def pinnedTo(core: int | None) -> Iterator[None]:
    """
    Pin processes that are started inside the C{with} block to a core.

    @param core: L{None} pins them to none.
    """
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

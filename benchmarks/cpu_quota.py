"""
Limits the processor time of processes, with cgroups of Linux.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.server import RunError

__all__ = ["PERIOD", "cpuQuota", "quotaGroup"]

#: Microseconds after which the kernel renews a quota. The kernel's default is 100 ms, in which a process that has used
#: its quota stops for longer.
PERIOD = 10_000

MOUNT = Path("/sys/fs/cgroup")


@contextmanager
def quotaGroup(name: str, cores: float, mount: Path = MOUNT) -> Iterator[Path]:
    """
    Make a cgroup with a quota, and remove it at the end of the C{with} block. Needs root.

    @param cores: the processor time of its processes per second, in seconds.
    @param mount: the folder where cgroups, of version 1 or 2, are mounted.
    @raise RunError: if it cannot be made.
    """
    quota = round(cores * PERIOD)
    isVersion1 = (mount / "cpu").is_dir()
    parent = mount / "cpu" if isVersion1 else mount
    settings = (
        {"cpu.cfs_period_us": PERIOD, "cpu.cfs_quota_us": quota} if isVersion1 else {"cpu.max": f"{quota} {PERIOD}"}
    )
    group = parent / name
    try:
        group.mkdir()
    except OSError as error:
        raise RunError(f"{group}: {error.strerror}; expected root, and cgroups") from None
    try:
        for setting, value in settings.items():
            _write(group / setting, value)
        yield group
    finally:
        with suppress(OSError, RunError):
            # A cgroup with a process cannot be removed.
            for pid in (group / "cgroup.procs").read_text().split():
                _write(parent / "cgroup.procs", pid)
        with suppress(OSError):
            group.rmdir()


@contextmanager
def cpuQuota(pid: int, cores: float, mount: Path = MOUNT) -> Iterator[None]:
    """
    Limit the processor time of a process inside the C{with} block. Afterwards the process is in the root cgroup.

    @raise RunError: if it cannot be limited.
    """
    with quotaGroup(f"benchmarks-{pid}", cores, mount) as group:
        _write(group / "cgroup.procs", pid)
        yield


def _write(path: Path, value: object) -> None:
    try:
        # Open without O_CREAT: a cgroup has no file of a controller that is off.
        with path.open("r+") as file:
            file.write(str(value))
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None

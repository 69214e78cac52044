"""
How many cores this process may use.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["availableCores"]


def availableCores(root: Path = Path("/")) -> int:
    """
    Count the cores in the affinity mask of this process, or fewer if the CPU quota of its cgroup, or of one above it,
    is lower. A quota of one and a half cores counts as two.

    @param root: the folder that contains C{proc} and C{sys}.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """
    The quotas in cores: of cgroup v2 from the group of this process to the root, and of cgroup v1 as a container has
    it mounted.
    """
    with suppress(OSError, ValueError, ZeroDivisionError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                group = root / "sys/fs/cgroup" / line[4:]
                for folder in (group, *group.parents):
                    if (folder / "cpu.max").exists():
                        quota, period = (folder / "cpu.max").read_text().split()
                        if quota != "max":
                            yield int(quota) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        folder = root / "sys/fs/cgroup/cpu"
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(quota) > 0:
            yield int(quota) / int(period)

"""
The active users, as the system's utmp file lists them.
"""

from __future__ import annotations

import platform
import struct
from pathlib import Path

__all__ = ["activeUsers"]

UTMP = Path("/var/run/utmp")

#: C{ut_type} of a session of a user (utmp(5)).
USER_PROCESS = 7

#: C{ut_type}, and C{ut_user} behind the other fields: the same on every Linux; what follows, and so the size, is not.
TYPE = struct.Struct("=h")
USER = struct.Struct("=44x32s")

#: glibc keeps 32-bit times in utmp(5) records except where no 32-bit predecessor had to be pleased.
SIZE = 400 if platform.machine() in ("aarch64", "alpha", "ia64", "loongarch64", "s390x") else 384


def activeUsers(path: Path = UTMP, size: int = SIZE) -> list[str]:
    """
    The names of the logged-in users, one for each session, in the file's order.

    @param size: of a record, in bytes.
    @return: nothing where the system keeps no such file, or it cannot be read.
    """
    try:
        records = path.read_bytes()
    except OSError:
        return []
    names = []
    for start in range(0, len(records) - size + 1, size):
        (field,) = USER.unpack_from(records, start)
        # What follows the first NUL may be left from a longer name.
        name = field.partition(b"\0")[0].decode("ascii", "replace")
        if name and TYPE.unpack_from(records, start) == (USER_PROCESS,):
            names.append(name)
    return names

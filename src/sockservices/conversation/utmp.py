"""
The logged-in users, from the system's utmp file (utmp(5)).
"""

from __future__ import annotations

import platform
import struct
from pathlib import Path

__all__ = ["activeUsers"]

UTMP_PATH = Path("/var/run/utmp")

#: The C{ut_type} of a user's session.
USER_PROCESS = 7

#: The field C{ut_type}: its offset is the same on every Linux architecture.
TYPE_FIELD = struct.Struct("=h")

#: The field C{ut_user}: its offset is the same on every Linux architecture.
USER_FIELD = struct.Struct("=44x32s")

#: The length of a record, in bytes. Its times have 32 bits on architectures that once had a 32-bit Linux, else 64 bits.
RECORD_LENGTH = 400 if platform.machine() in ("aarch64", "alpha", "ia64", "loongarch64", "s390x") else 384


def activeUsers(path: Path = UTMP_PATH, recordLength: int = RECORD_LENGTH) -> list[str]:
    """
    Read the names of the logged-in users.

    @param recordLength: in bytes.
    @return: one name per session, in the order of the file; an empty list if the file cannot be read.
    """
    try:
        records = path.read_bytes()
    except OSError:
        return []
    names = []
    for start in range(0, len(records) - recordLength + 1, recordLength):
        (field,) = USER_FIELD.unpack_from(records, start)
        # The bytes after the first NUL may be left over from a longer name.
        name = field.partition(b"\0")[0].decode("ascii", "replace")
        if name and TYPE_FIELD.unpack_from(records, start) == (USER_PROCESS,):
            names.append(name)
    return names

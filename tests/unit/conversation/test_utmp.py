"""
The active users, read out of the system's records.
"""

from __future__ import annotations

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.conversation.utmp import SIZE, activeUsers

#: The fields of a record of utmp(5): type, process, line, id, user, host, exit status; then session and time, which
#: have 32 or 64 bits; address and reserve.
NARROW = struct.Struct("@hi32s4s32s256shhiii16s20s")
WIDE = struct.Struct("@hi32s4s32s256shhqqq16s20s0q")


def record(layout: struct.Struct, user: bytes, kind: int = 7) -> bytes:
    """
    A record, with something in every field.
    """
    return layout.pack(kind, 4711, b"pts/1", b"ts/1", user, b"192.0.2.7", 1, 2, 3, 4, 5, b"\xff" * 16, b"\xff" * 20)


class ActiveUsersTests(SynchronousTestCase):
    """
    Tests for L{activeUsers}.
    """

    def setUp(self) -> None:
        """
        A place for the file.
        """
        self.path = Path(self.enterContext(TemporaryDirectory())) / "utmp"

    def users(self, *records: bytes, size: int = NARROW.size) -> list[str]:
        """
        The users in a file of these records.
        """
        self.path.write_bytes(b"".join(records))
        return activeUsers(self.path, size)

    def test_bothSizes(self) -> None:
        """
        Records are read with 32-bit times, as on x86, and with 64-bit times, as on ARM.
        """
        self.assertEqual((NARROW.size, WIDE.size), (384, 400))
        for layout in (NARROW, WIDE):
            records = [record(layout, user) for user in (b"grace", b"ada", b"grace")]
            self.assertEqual(self.users(*records, size=layout.size), ["grace", "ada", "grace"])

    def test_thisMachine(self) -> None:
        """
        The size of this machine's records is one of the two, and what is read without being told where is a list.
        """
        self.assertIn(SIZE, (NARROW.size, WIDE.size))
        self.assertIsInstance(activeUsers(), list)

    def test_onlyUsers(self) -> None:
        """
        The system's own records, and those of sessions that ended, are no users.
        """
        kinds = [record(NARROW, b"kind%d" % kind, kind) for kind in range(-1, 10)]
        self.assertEqual(self.users(*kinds), ["kind7"])

    def test_longestName(self) -> None:
        """
        A name may fill its field.
        """
        self.assertEqual(self.users(record(NARROW, b"x" * 32)), ["x" * 32])

    def test_remains(self) -> None:
        """
        A name ends at its first NUL: what follows is left from another.
        """
        self.assertEqual(self.users(record(NARROW, b"ada\0hopper")), ["ada"])

    def test_nameless(self) -> None:
        """
        A session without a name is nobody's.
        """
        self.assertEqual(self.users(record(NARROW, b""), record(NARROW, b"ada")), ["ada"])

    def test_beyondAscii(self) -> None:
        """
        Bytes that are no ASCII are replaced.
        """
        self.assertEqual(self.users(record(NARROW, b"zo\xeb")), ["zo\ufffd"])

    def test_cutShort(self) -> None:
        """
        A record that is just being written is left out.
        """
        self.assertEqual(self.users(record(NARROW, b"ada"), record(NARROW, b"grace")[:-1]), ["ada"])

    def test_missing(self) -> None:
        """
        Where there is no file, or none that can be read, nobody is there.
        """
        self.assertEqual(activeUsers(self.path), [])
        self.assertEqual(activeUsers(self.path.parent), [])

    def test_empty(self) -> None:
        """
        An empty file holds nobody.
        """
        self.assertEqual(self.users(), [])

    @settings(deadline=None)
    @given(st.binary(max_size=2000), st.sampled_from([NARROW.size, WIDE.size]))
    def test_garbage(self, garbage: bytes, size: int) -> None:
        """
        Whatever the file holds, there are at most as many users as records, each with a name.
        """
        users = self.users(garbage, size=size)
        self.assertLessEqual(len(users), len(garbage) // size)
        self.assertTrue(all(users))

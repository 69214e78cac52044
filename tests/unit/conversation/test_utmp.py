"""
The logged-in users, from utmp records.
"""

from __future__ import annotations

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.conversation.utmp import RECORD_LENGTH, activeUsers

#: The fields of a utmp(5) record with 32-bit times: type, process, line, id, user, host, exit status, session, time,
#: address and reserve.
TIME32 = struct.Struct("@hi32s4s32s256shhiii16s20s")

#: The same with 64-bit times.
TIME64 = struct.Struct("@hi32s4s32s256shhqqq16s20s0q")


def record(user: bytes, kind: int = 7, layout: struct.Struct = TIME32) -> bytes:
    """
    Make a record with a value in every field.
    """
    return layout.pack(kind, 4711, b"pts/1", b"ts/1", user, b"192.0.2.7", 1, 2, 3, 4, 5, b"\xff" * 16, b"\xff" * 20)


class ActiveUsersTests(SynchronousTestCase):
    """
    L{activeUsers}.
    """

    def setUp(self) -> None:
        """
        Choose a path for the file.
        """
        self.path = Path(self.enterContext(TemporaryDirectory())) / "utmp"

    def users(self, *records: bytes, length: int = TIME32.size) -> list[str]:
        """
        Read the users from a file of these records.
        """
        self.path.write_bytes(b"".join(records))
        return activeUsers(self.path, length)

    def test_recordLengths(self) -> None:
        """
        Records are read with 32-bit times, as on x86, and with 64-bit times, as on ARM; this machine's length is one
        of the two.
        """
        self.assertEqual((TIME32.size, TIME64.size), (384, 400))
        for layout in (TIME32, TIME64):
            records = [record(user, layout=layout) for user in (b"grace", b"ada", b"grace")]
            self.assertEqual(self.users(*records, length=layout.size), ["grace", "ada", "grace"])
        self.assertIn(RECORD_LENGTH, (TIME32.size, TIME64.size))
        self.assertIsInstance(activeUsers(), list)

    def test_names(self) -> None:
        """
        A name ends at its first NUL or fills the field; a byte beyond ASCII is replaced. Records of another type, with
        no name, or not complete are skipped. A file that does not exist, or cannot be read, has no users.
        """
        self.assertEqual((activeUsers(self.path), activeUsers(self.path.parent)), ([], []))
        for records, names in (
            ([], []),
            ([record(b"kind%d" % kind, kind) for kind in range(-1, 10)], ["kind7"]),
            ([record(b"x" * 32)], ["x" * 32]),
            ([record(b"ada\0hopper")], ["ada"]),
            ([record(b""), record(b"ada")], ["ada"]),
            ([record(b"zo\xeb")], ["zo\ufffd"]),
            ([record(b"ada"), record(b"grace")[:-1]], ["ada"]),
        ):
            self.assertEqual(self.users(*records), names)

    @settings(deadline=None)
    @given(st.binary(max_size=2000), st.sampled_from([TIME32.size, TIME64.size]))
    def test_arbitraryContent(self, content: bytes, length: int) -> None:
        """
        Any content gives at most one user per record, each with a name.
        """
        users = self.users(content, length=length)
        self.assertLessEqual(len(users), len(content) // length)
        self.assertTrue(all(users))

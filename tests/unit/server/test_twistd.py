"""
What the command owes to twistd.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from sockservices.server.start_trial import keptGroups
from sockservices.server.twistd import exitWithError


class TwistdTests(SynchronousTestCase):
    """
    Tests for one-line errors and for the groups of the process.
    """

    def test_linesOfAnError(self) -> None:
        """
        An error of several lines, as Twisted raises some, is one line. Blanks at line ends become one blank.
        """
        code = self.assertRaises(SystemExit, exitWithError, "--listen nonsense: no such\n  endpoint").code
        self.assertEqual(code, "sockservices: --listen nonsense: no such endpoint")

    def test_groups(self) -> None:
        """
        With --uid twistd sets the groups of that user. With --gid alone it would keep all groups of root.
        """
        alone = [7] if os.geteuid() == 0 else None
        for uid, gid, groups in ((None, None, None), (None, 7, alone), (7, None, None), (7, 7, None)):
            self.assertEqual(keptGroups({"uid": uid, "gid": gid}), groups)

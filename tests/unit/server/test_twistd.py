"""
Errors in one line, and the groups of the process, under twistd.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from sockservices.server.start_trial import keptGroups
from sockservices.server.twistd import exitWithError


class TwistdTests(SynchronousTestCase):
    """
    L{exitWithError} and L{keptGroups}.
    """

    def test_errorInOneLine(self) -> None:
        """
        An error of several lines, as Twisted raises some, is printed in one line. White space becomes one blank.
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

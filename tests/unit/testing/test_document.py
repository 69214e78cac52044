"""
The examples in docs/testing.md that need no pytest.
"""

from __future__ import annotations

import re
import unittest
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

DOCUMENT = Path(__file__).parents[3] / "docs" / "testing.md"


class DocumentTests(SynchronousTestCase):
    """
    Tests for the section "For Twisted programmers".
    """

    def test_examples(self) -> None:
        """
        The examples run, in order, and their test cases pass.
        """
        _, heading, text = DOCUMENT.read_text().partition("\n## For Twisted programmers\n")
        blocks = re.findall(r"^```python\n(.*?)^```$", re.split(r"(?m)^## ", text)[0], re.M | re.S)
        self.assertTrue(heading and blocks)
        namespace: dict[str, Any] = {"__name__": "document"}
        for block in blocks:
            exec(compile(block, DOCUMENT.name, "exec"), namespace)
        cases = [value for name, value in namespace.items() if name.endswith("Tests")]
        self.assertTrue(cases)
        result = unittest.TestResult()
        unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, cases)).run(result)
        self.assertEqual(result.errors + result.failures, [])
        self.assertGreater(result.testsRun, 5)

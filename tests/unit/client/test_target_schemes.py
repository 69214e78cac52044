"""
Schemes in capitals, and relative paths.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.client import target, targets


class SchemeTests(SynchronousTestCase):
    """
    Tests for the scheme of a URL.
    """

    def test_capitals(self) -> None:
        """
        Schemes are not case-sensitive (RFC 3986 section 3.1); paths are.
        """
        for url, same in (
            ("TCP://127.0.0.1:7", "tcp://127.0.0.1:7"),
            ("Udp://[::1]:7", "udp://[::1]:7"),
            ("UNIX:///run/Echo", "unix:///run/Echo"),
            ("unixGram://@Echo", "unixgram://@Echo"),
        ):
            self.assertEqual(str(target(url)), same)
        self.assertEqual([str(each) for each in targets("TCP://h:7-8")], ["tcp://h:7", "tcp://h:8"])

    def test_relativePath(self) -> None:
        """
        A relative path is an error that names the form with three slashes.
        """
        for scheme in ("unix", "unixgram"):
            error = self.assertRaises(ValueError, target, f"{scheme}://e.sock")
            expected = f"{scheme}://e.sock: expected {scheme}:///PATH with an absolute path, or {scheme}://@NAME"
            self.assertEqual(str(error), expected)

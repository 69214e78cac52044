"""
Tests for L{sockservices.transports.route_cache}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.transports.route_cache import MAX_ROUTES, RouteCache


class RouteCacheTests(SynchronousTestCase):
    """
    Tests for L{RouteCache}.
    """

    def test_madeOnce(self) -> None:
        """
        The route of a source is made when its first datagram arrives, and used again.
        """
        made: list[int] = []
        cache = RouteCache[int, str](lambda key: made.append(key) or str(key))  # type: ignore[func-returns-value]
        self.assertEqual([cache[key] for key in (1, 2, 1, 1)], ["1", "2", "1", "1"])
        self.assertEqual(made, [1, 2])

    def test_limited(self) -> None:
        """
        However many sources there are, the cache stays within its limit.
        """
        cache = RouteCache[int, str](str)
        for key in range(3 * MAX_ROUTES):
            self.assertEqual(cache[key], str(key))
            self.assertLessEqual(len(cache), MAX_ROUTES)

"""
Keeps the reply routes of the latest sources.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["MAX_ROUTES", "RouteCache"]

#: Maximum number of routes in a cache.
MAX_ROUTES = 4096

Key = TypeVar("Key")
Route = TypeVar("Route")


class RouteCache(dict[Key, Route], Generic[Key, Route]):
    """
    The route for each source and destination. A full cache is emptied, so that forged sources cannot fill the memory.
    """

    def __init__(self, make: Callable[[Key], Route]) -> None:
        """
        @param make: makes the route for a key.
        """
        self._make = make

    def __missing__(self, key: Key) -> Route:
        if len(self) >= MAX_ROUTES:
            self.clear()
        self[key] = route = self._make(key)
        return route

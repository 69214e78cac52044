"""
Where services usually are.
"""

from __future__ import annotations

from sockservices import responders

__all__ = ["PORTS", "RFC_PORTS"]

#: Where this project's servers have them.
PORTS: dict[str, int] = {each.name: each.port for each in (getattr(responders, name) for name in responders.__all__)}

#: Where the RFCs have theirs.
RFC_PORTS = {"echo": 7, "discard": 9, "users": 11, "daytime": 13, "qotd": 17, "chargen": 19, "time": 37}

"""
The usual ports of the services.
"""

from __future__ import annotations

from sockservices import responders

__all__ = ["PORTS", "RFC_PORTS"]

#: The default ports of this project's server.
PORTS: dict[str, int] = {each.name: each.port for each in (getattr(responders, name) for name in responders.__all__)}

#: The ports that the RFCs assign.
RFC_PORTS = {"echo": 7, "discard": 9, "users": 11, "daytime": 13, "qotd": 17, "chargen": 19, "time": 37}

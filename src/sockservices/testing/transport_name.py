"""
The names of the transports, as tests pass them.
"""

from __future__ import annotations

from sockservices.conversation.transport import Transport

__all__ = ["transportNamed"]


def transportNamed(name: str) -> Transport:
    """
    Return the transport of this name.

    @raise ValueError: if no transport has this name. The message lists the names.
    """
    try:
        return Transport(name)
    except ValueError:
        *others, last = Transport
        raise ValueError(f"no transport {name!r}: expected {', '.join(others)} or {last}") from None

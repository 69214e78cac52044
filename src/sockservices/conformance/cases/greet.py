"""
Cases for C{greet}.
"""

from __future__ import annotations

from sockservices.conformance.cases.once import speaksOnce
from sockservices.conformance.heard import Heard
from sockservices.conformance.service import Service

__all__ = ["greet"]

greet = Service("greet", "tutorial")
speaksOnce(greet)


@greet.answer("says connected, and no more")
def connected(heard: Heard) -> None:
    """
    One word.
    """
    heard.only(b"connected")

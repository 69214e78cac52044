"""
Cases for C{echo} (RFC 862).
"""

from __future__ import annotations

from sockservices.conformance.cases.mirror import givesBack
from sockservices.conformance.service import Service

__all__ = ["echo"]

echo = Service("echo", "RFC 862")
givesBack(echo)

"""
The cases of C{echo} (RFC 862).
"""

from __future__ import annotations

from sockservices.conformance.cases.echoing import declareEchoing
from sockservices.conformance.suite import Suite

__all__ = ["echo"]

echo = Suite("echo", "RFC 862")
declareEchoing(echo)

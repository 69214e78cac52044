"""
Cases for C{upper}.
"""

from __future__ import annotations

from sockservices.conformance.cases.mirror import givesBack
from sockservices.conformance.service import Service

__all__ = ["upper"]

upper = Service("upper", "tutorial")
givesBack(upper, bytes.upper, " in upper case")

"""
The cases of C{upper}.
"""

from __future__ import annotations

from sockservices.conformance.cases.echoing import declareEchoing
from sockservices.conformance.suite import Suite

__all__ = ["upper"]

upper = Suite("upper", "tutorial")
declareEchoing(upper, bytes.upper, " in upper case")

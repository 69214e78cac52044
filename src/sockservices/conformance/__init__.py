"""
Conformance checks: each statement of a service's RFC or tutorial as a case that any server passes or fails.
"""

from sockservices.conformance.ports import PORTS, RFC_PORTS
from sockservices.conformance.row import Result, Row
from sockservices.conformance.runner import check, countCases
from sockservices.conformance.timing import Timing

__all__ = ["PORTS", "RFC_PORTS", "Result", "Row", "Timing", "check", "countCases"]

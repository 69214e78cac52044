"""
What the RFCs, and the tutorials, say of each service, as questions to any server: who is asked passes, or does not.
"""

from sockservices.conformance.checking import check, countCases
from sockservices.conformance.ports import PORTS, RFC_PORTS
from sockservices.conformance.row import Result, Row
from sockservices.conformance.seconds import Seconds

__all__ = ["PORTS", "RFC_PORTS", "Result", "Row", "Seconds", "check", "countCases"]

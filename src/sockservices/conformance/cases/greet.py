"""
The cases of C{greet}.
"""

from __future__ import annotations

from sockservices.conformance.cases.shared import declareSendAndClose
from sockservices.conformance.response import Response
from sockservices.conformance.suite import Suite

__all__ = ["greet"]

greet = Suite("greet", "tutorial")
declareSendAndClose(greet)


@greet.response('sends "connected" and nothing else')
def connected(response: Response) -> None:
    response.expectOnly(b"connected")

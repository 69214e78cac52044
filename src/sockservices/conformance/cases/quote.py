"""
The cases of C{qotd} (RFC 865).
"""

from __future__ import annotations

from sockservices.conformance.cases.shared import declareSendAndClose
from sockservices.conformance.response import Deviation, Response
from sockservices.conformance.suite import Suite

__all__ = ["quote"]

quote = Suite("qotd", "RFC 865")
declareSendAndClose(quote)


@quote.response("sends printable ASCII and line ends")
def printable(response: Response) -> None:
    response.expect(response.data.strip(), "a quote")
    response.expectPrintable()


@quote.response("sends fewer than 512 characters")
def short(response: Response) -> None:
    if len(response.data) >= 512:
        raise Deviation(f"{len(response.data)} characters", "fewer than 512")

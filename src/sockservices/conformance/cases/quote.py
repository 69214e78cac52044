"""
Cases for C{qotd} (RFC 865).
"""

from __future__ import annotations

from sockservices.conformance.cases.once import speaksOnce
from sockservices.conformance.cases.printing import printing
from sockservices.conformance.deviation import Deviation
from sockservices.conformance.heard import Heard
from sockservices.conformance.service import Service

__all__ = ["quote"]

quote = Service("qotd", "RFC 865")
speaksOnce(quote)


@quote.answer("says printing ASCII and line ends")
def ascii_(heard: Heard) -> None:
    """
    Some words.
    """
    if not heard.words.strip():
        raise Deviation(str(heard), "a quote")
    printing(heard)


@quote.answer("says fewer than 512 characters")
def short(heard: Heard) -> None:
    """
    Not too many.
    """
    if len(heard.words) >= 512:
        raise Deviation(f"{len(heard.words)} characters", "fewer than 512")

"""
The character set of services that send text.
"""

from __future__ import annotations

import re

from sockservices.conformance.exceptions import Deviation
from sockservices.conformance.excerpt import excerpt
from sockservices.conformance.response import Response

__all__ = ["expectPrintable"]


def expectPrintable(response: Response) -> None:
    """
    Expect printable ASCII (0x20 to 0x7e), CR and LF only.

    @raise Deviation: if there is any other byte.
    """
    other = re.search(rb"[^\r\n\x20-\x7e]", response.data)
    if other:
        raise Deviation(f"{other[0]!r} in {excerpt(response.data)}", "printable ASCII and line ends")

"""
The cases of C{users} (RFC 866).
"""

from __future__ import annotations

from sockservices.conformance.cases.printable import expectPrintable
from sockservices.conformance.cases.send_and_close import declareSendAndClose
from sockservices.conformance.exceptions import Deviation
from sockservices.conformance.response import Response
from sockservices.conformance.suite import Suite

__all__ = ["users"]

users = Suite("users", "RFC 866")
declareSendAndClose(users, mayBeEmpty=True)


@users.response("sends one user a line, each line ended by CR LF; no line if there is no user")
def lines(response: Response) -> None:
    """
    Expect lines, none of which is empty.
    """
    expectPrintable(response)
    *names, rest = response.data.split(b"\r\n")
    if rest or not all(name.strip() and len(name.splitlines()) == 1 for name in names):
        raise Deviation(str(response), "lines of one user each, ended by CR LF")

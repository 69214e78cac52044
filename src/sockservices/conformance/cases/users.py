"""
The cases of C{users} (RFC 866).
"""

from __future__ import annotations

from sockservices.conformance.cases.shared import declareSendAndClose
from sockservices.conformance.response import Response
from sockservices.conformance.suite import Suite

__all__ = ["users"]

users = Suite("users", "RFC 866")
declareSendAndClose(users, mayBeEmpty=True)


@users.response("sends one user a line, each line ended by CR LF; no line if there is no user")
def lines(response: Response) -> None:
    response.expectPrintable()
    *names, rest = response.data.split(b"\r\n")
    complete = not rest and all(name.strip() and len(name.splitlines()) == 1 for name in names)
    response.expect(complete, "lines of one user each, ended by CR LF")

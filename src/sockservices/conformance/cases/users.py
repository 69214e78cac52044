"""
Cases for C{users} (RFC 866).
"""

from __future__ import annotations

from sockservices.conformance.cases.once import speaksOnce
from sockservices.conformance.cases.printing import printing
from sockservices.conformance.deviation import Deviation
from sockservices.conformance.heard import Heard
from sockservices.conformance.service import Service

__all__ = ["users"]

users = Service("users", "RFC 866")
speaksOnce(users, maybeNothing=True)


@users.answer("lists one user a line, ended by CR LF; nobody is no line")
def lines(heard: Heard) -> None:
    """
    A list that may be empty, but has no empty line.
    """
    printing(heard)
    *names, rest = heard.words.split(b"\r\n")
    if rest or not all(name.strip() and len(name.splitlines()) == 1 for name in names):
        raise Deviation(str(heard), "lines with a user each, ended by CR LF")

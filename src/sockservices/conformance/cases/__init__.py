"""
The cases: one file a service; four others hold what some of them have in common.
"""

from sockservices.conformance.cases.chargen import chargen
from sockservices.conformance.cases.daytime import daytime
from sockservices.conformance.cases.discard import discard
from sockservices.conformance.cases.echo import echo
from sockservices.conformance.cases.greet import greet
from sockservices.conformance.cases.hello import hello
from sockservices.conformance.cases.quote import quote
from sockservices.conformance.cases.time import time
from sockservices.conformance.cases.upper import upper
from sockservices.conformance.cases.users import users
from sockservices.conformance.cases.welcome import welcome
from sockservices.conformance.cases.whoami import whoami

__all__ = ["SERVICES"]

#: In the order of their ports at the RFCs, and then of our own.
SERVICES = (echo, discard, users, daytime, quote, chargen, time, upper, welcome, hello, greet, whoami)

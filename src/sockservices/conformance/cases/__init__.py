"""
The cases of each service.
"""

from sockservices.conformance.cases.chargen import chargen
from sockservices.conformance.cases.daytime import daytime
from sockservices.conformance.cases.discard import discard
from sockservices.conformance.cases.echoing import echo, upper
from sockservices.conformance.cases.greet import greet
from sockservices.conformance.cases.hello import hello
from sockservices.conformance.cases.quote import quote
from sockservices.conformance.cases.time import time
from sockservices.conformance.cases.users import users
from sockservices.conformance.cases.welcome import welcome
from sockservices.conformance.cases.whoami import whoami

__all__ = ["SUITES"]

#: The services of the RFCs by port number, then the others.
SUITES = (echo, discard, users, daytime, quote, chargen, time, upper, welcome, hello, greet, whoami)

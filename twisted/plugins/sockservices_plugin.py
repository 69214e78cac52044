"""
Makes C{sockservices} known to C{twistd} and C{twist}.
"""

from twisted.application.service import ServiceMaker

sockservices = ServiceMaker(
    "sockservices",
    "sockservices.tap",
    "The small services of every socket tutorial and every inetd: echo, upper-case, welcome-or-time-out, and others.",
    "sockservices",
)

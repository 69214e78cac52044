"""
Tells the log that a peer did not send what a coroutine expected.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from sockservices.text.addresses import addressText
from sockservices.text.exceptions import exceptionText

__all__ = ["logMismatch"]

log = Logger("sockservices")


def logMismatch(service: str, mismatch: AssertionError, serial: int, peer: IAddress | None) -> None:
    """
    Log one line for a conversation that is reset because of a failed expectation or assertion.
    """
    log.error(
        "{service}: mismatch: {difference}; conversation {serial} with {peer} is reset",
        service=service,
        difference=getattr(mismatch, "line", None) or exceptionText(mismatch),
        serial=serial,
        peer=addressText(peer) or "-",
    )

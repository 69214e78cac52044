"""
Logs the exceptions of responders, and the failed expectations of coroutines.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from sockservices.text.addresses import addressText
from sockservices.text.exceptions import exceptionText

__all__ = ["ignoreException", "logException", "logMismatch"]

log = Logger("sockservices")


def logException(
    service: str, exception: BaseException, serial: int, peer: IAddress | None, ended: bool = False
) -> None:
    """
    One line for a conversation that is reset because its responder raised.

    @param ended: whether the conversation was over already.
    """
    log.error(
        "{service} raised {fault} after conversation {serial} with {peer}"
        if ended
        else "{service} raised {fault}; conversation {serial} with {peer} is reset",
        service=service,
        fault=exceptionText(exception),
        serial=serial,
        peer=addressText(peer) or "-",
    )


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


def ignoreException(exception: BaseException) -> None:
    """
    Do nothing: the exception has been logged.
    """

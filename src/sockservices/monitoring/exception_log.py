"""
Tells the log what a responder raised.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from sockservices.text.addresses import addressText
from sockservices.text.exceptions import exceptionText

__all__ = ["ignoreException", "logException"]

log = Logger("sockservices")


def logException(service: str, exception: BaseException, serial: int, peer: IAddress | None) -> None:
    """
    One line for a conversation that is reset because its responder raised.
    """
    log.error(
        "{service} raised {fault}; conversation {serial} with {peer} is reset",
        service=service,
        fault=exceptionText(exception),
        serial=serial,
        peer=addressText(peer) or "-",
    )


def ignoreException(exception: BaseException) -> None:
    """
    Do nothing: the exception has been logged.
    """

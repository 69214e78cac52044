"""
Tells the log that datagrams are not answered.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from sockservices.conversation.outcome import Outcome
from sockservices.text.addresses import addressText
from sockservices.text.exceptions import exceptionText
from sockservices.text.log_interval import LogInterval

__all__ = ["DropLog"]

log = Logger("sockservices")

#: What more the line says of a reason that an option changes.
EXPLANATIONS = {
    Outcome.WITHHELD: "the reply is longer than the request allows; --udp-rfc-size allows any length",
    Outcome.TOO_LONG: "the datagram is longer than --udp-max",
}


class DropLog:
    """
    One line for each reason in 10 seconds, whatever the number of datagrams: a flood of them must not flood the log.
    """

    def __init__(self, service: str, seconds: Callable[[], float]) -> None:
        self._service = service
        self._seconds = seconds
        self._interval = LogInterval()

    def __call__(
        self, outcome: Outcome, transport: str, peer: IAddress | None, cause: BaseException | None = None
    ) -> None:
        """
        Log that a datagram is not answered.
        """
        if not self._interval.allows(outcome, self._seconds()):
            return
        explanation = EXPLANATIONS.get(outcome) if cause is None else exceptionText(cause)
        log.info(
            "{service} {transport} {peer} not answered: {reason}{more} (at most one such line in {interval:.0f} s)",
            service=self._service,
            transport=transport,
            peer=addressText(peer) or "-",
            reason=outcome.value,
            more="" if explanation is None else f", {explanation}",
            interval=self._interval.seconds,
        )

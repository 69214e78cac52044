"""
The limits for one source that are in force, as a line for the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sockservices.admission.addresses import sourceOf
from sockservices.conversation.policy import (
    DEFAULT_MAX_PER_SOURCE,
    DEFAULT_MAX_RATE,
    DEFAULT_UDP_RATE,
    Policy,
    optionName,
)
from sockservices.conversation.transport import Transport
from sockservices.server.listener import ListenerService

__all__ = ["limitsNotice"]

#: For each limit, its default and the name of the unit that it counts.
STREAM_LIMITS = (
    ("maxPerSource", DEFAULT_MAX_PER_SOURCE, "connections"),
    ("maxRate", DEFAULT_MAX_RATE, "new connections per second"),
)
DATAGRAM_LIMITS = (("udpRate", DEFAULT_UDP_RATE, "replies to datagrams per second"),)


def limitsNotice(listeners: Sequence[ListenerService], trusted: Sequence[str]) -> str:
    """
    Describe the limits for peers of other hosts.

    @param trusted: the networks that are exempt from them.
    @return: one line; C{""} if all listeners are on loopback and no network is trusted.
    """
    remote = [each for each in listeners if "host" in each.address and not sourceOf(each.address["host"]).loopback]
    if not (remote or trusted):
        return ""
    limits = list(dict.fromkeys(text for each in remote for text in _limits(each)))
    parts = [", ".join(limits)] if limits else []
    if trusted:
        parts.append(f"none for {', '.join(trusted)} (--trusted)")
    elif limits:
        parts.append("--trusted ADDRESS lifts them for a source")
    return f"limits for one source: {'; '.join(parts) or 'none'}"


def _limits(listener: ListenerService) -> Iterable[str]:
    policy: Policy = listener.policy
    for limit, default, counted in STREAM_LIMITS if Transport.TCP in listener.transports else DATAGRAM_LIMITS:
        number = getattr(policy, limit)
        number = default if number is None else number
        if number:
            yield f"{number} {counted} ({optionName(limit)})"

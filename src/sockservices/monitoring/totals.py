"""
Logs the totals of a server, in one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from twisted.logger import Logger

from sockservices.admission.census import Census, ServiceTotals
from sockservices.conversation.outcome import Outcome
from sockservices.text.counts import counted

__all__ = ["logTotals"]

log = Logger("sockservices")


def logTotals(census: Census) -> None:
    """
    Log the totals of a server: conversations and datagrams by service and outcome, bytes, and faults.
    """
    conversations = _fields(census.totals.conversations, "done")
    datagrams = _fields(census.totals.datagrams, "answered")
    parts = [*_texts(conversations, "conversation"), *_texts(datagrams, "datagram")]
    fields = {"conversations": conversations, "datagrams": datagrams}
    if census.faults:
        parts.append("faults: " + ", ".join(f"{word} {times}" for word, times in census.faults.most_common()))
        fields["faults"] = dict(census.faults)
    log.info("totals: {text}", text="; ".join(parts) or "no conversations", totals=fields)


def _texts(totals: dict[str, Any], kind: str) -> Iterator[str]:
    """
    For each service, the fields of its totals as text.
    """
    for service, fields in totals.items():
        count = sum(fields["outcomes"].values())
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in fields["outcomes"].items())
        received, sent = fields["received"], fields["sent"]
        yield f"{service} {counted(count, kind)} ({outcomes}), {received} bytes received, {sent} sent"


def _fields(totals: Mapping[str, ServiceTotals], done: str) -> dict[str, Any]:
    """
    The totals of each service as fields of a JSON object. The most frequent outcome comes first.

    @param done: the name of L{Outcome.DONE}.
    """
    return {
        service: {
            "outcomes": {
                done if outcome is Outcome.DONE else outcome.value: number
                for outcome, number in each.outcomes.most_common()
            },
            "received": each.received,
            "sent": each.sent,
        }
        for service, each in totals.items()
        if each.outcomes
    }

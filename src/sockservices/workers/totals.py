"""
The totals of a worker as a value of JSON, and their sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sockservices.admission.census import Census
from sockservices.conversation.outcome import Outcome

__all__ = ["sumOfTotals", "totalsOf"]

#: The tables of totals by service.
TABLES = ("conversations", "datagrams")


def totalsOf(census: Census) -> dict[str, Any]:
    """
    Return the totals of a worker.
    """
    tables: dict[str, Any] = {
        table: {
            service: {
                "outcomes": {outcome.value: number for outcome, number in each.outcomes.items()},
                "received": each.received,
                "sent": each.sent,
            }
            for service, each in getattr(census.totals, table).items()
        }
        for table in TABLES
    }
    return tables | {"faults": dict(census.faults)}


def sumOfTotals(workers: Iterable[dict[str, Any]]) -> Census:
    """
    Add the totals of workers.

    @param workers: the result of L{totalsOf} in each worker.
    @return: a census with the sums.
    """
    census = Census()
    for worker in workers:
        for table in TABLES:
            for service, fields in worker[table].items():
                total = getattr(census.totals, table)[service]
                total.outcomes.update({Outcome(word): number for word, number in fields["outcomes"].items()})
                total.received += fields["received"]
                total.sent += fields["sent"]
        census.faults.update(worker["faults"])
    return census

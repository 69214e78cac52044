"""
The cases of one service on one transport, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable

from sockservices.client import Verdict
from sockservices.conformance.datagrams import FarDatagrams
from sockservices.conformance.deviation import Deviation, Limited, NotOffered
from sockservices.conformance.row import Result, Row
from sockservices.conformance.service import Case, Service
from sockservices.conformance.stream import FarStream

__all__ = ["Series"]

#: What a service must do before all else.
THERE = "is there"


class Series:
    """
    Asks, and tells each row, once there was a sign of the service: to discard a datagram without a word is right, but
    may be the silence of a firewall.

    @ivar rows: those that are known.
    @ivar alive: whether there was any sign of the host.
    """

    def __init__(
        self, service: Service, transport: str, port: int, far: FarStream | FarDatagrams, told: Callable[[Row], object]
    ) -> None:
        self._service = service
        self._row = Row(service.name, transport, port, service.source, THERE, Result.PASS)
        self._far = far
        self._tell = told
        self._told = 0
        self.rows: list[Row] = []
        self.alive = False

    async def run(self) -> None:
        """
        Ask for all that is to be, unless nobody is there.
        """
        for case in self._service.cases[self._row.transport]:
            row = await self._ask(case)
            self.rows.append(row)
            self.alive |= self._far.answered
            if row.result is Result.NOT_OFFERED or self._far.answered:
                self.tell()
            if row.result is Result.NOT_OFFERED:
                break

    async def _ask(self, case: Case) -> Row:
        row = self._row._replace(sentence=case.sentence)
        try:
            await case.ask(self._far)
        except NotOffered as fault:
            self.alive |= fault.verdict is Verdict.REFUSED
            if self.rows:
                return row._replace(result=Result.FAIL, seen=fault.verdict.word, expected="that it is still there")
            return self._absent(fault.verdict)
        except Deviation as fault:
            result = Result.LIMITED if isinstance(fault, Limited) else Result.FAIL
            return row._replace(result=result, seen=fault.seen, expected=fault.expected)
        return row

    def _absent(self, verdict: Verdict) -> Row:
        return self._row._replace(result=Result.NOT_OFFERED, seen=verdict.word)

    def tell(self) -> None:
        """
        Tell what was not told yet.
        """
        for row in self.rows[self._told :]:
            self._tell(row)
        self._told = len(self.rows)

    def doubt(self) -> None:
        """
        There was no sign of the host at all: what is known by silence alone is not known.
        """
        if not self._told:
            self.rows = [self._absent(Verdict.TIMEOUT)]

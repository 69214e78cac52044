"""
One run of a service's cases over one transport.
"""

from __future__ import annotations

from collections.abc import Callable

from sockservices.client import RequestFailed, Verdict
from sockservices.conformance.remote_datagrams import RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.response import Deviation, ReplyWithheld
from sockservices.conformance.row import Result, Row
from sockservices.conformance.suite import Case, Suite

__all__ = ["SuiteRun"]

#: The sentence of the only row of a service that is not offered.
OFFERED = "is offered"


class SuiteRun:
    """
    Runs the cases of a service over one transport, in order.

    Rows are held back until the service has responded: C{discard} over UDP passes if it sends nothing, but a firewall
    sends nothing as well.

    @ivar rows: the results so far.
    @ivar hostIsUp: whether the host has sent anything, including a TCP reset or an ICMP error.
    """

    def __init__(self, suite: Suite, remote: RemoteStream | RemoteDatagrams, onRow: Callable[[Row], object]) -> None:
        self._suite = suite
        self._template = Row(suite.service, remote.transport, remote.address[1], suite.source, OFFERED, Result.PASS)
        self._remote = remote
        self._onRow = onRow
        self._reported = 0
        self.rows: list[Row] = []
        self.hostIsUp = False

    async def run(self) -> None:
        """
        Run the cases, until the service is not offered.
        """
        for case in self._suite.cases[self._template.transport]:
            row = await self._runCase(case)
            self.rows.append(row)
            self.hostIsUp |= self._remote.responded
            if row.result is Result.NOT_OFFERED or self._remote.responded:
                self.report()
            if row.result is Result.NOT_OFFERED:
                break

    async def _runCase(self, case: Case) -> Row:
        row = self._template._replace(sentence=case.sentence)
        try:
            await case.run(self._remote)
        except RequestFailed as error:
            # A refusal is a reset or an ICMP error of the host itself.
            self.hostIsUp |= error.verdict is Verdict.REFUSED
            if self.rows:
                return row._replace(result=Result.FAIL, seen=error.verdict.value, expected="still offered")
            return self._notOffered(error.verdict)
        except Deviation as error:
            result = Result.LIMITED if isinstance(error, ReplyWithheld) else Result.FAIL
            return row._replace(result=result, seen=error.seen, expected=error.expected)
        return row

    def _notOffered(self, verdict: Verdict) -> Row:
        return self._template._replace(result=Result.NOT_OFFERED, seen=verdict.value)

    def report(self) -> None:
        """
        Report the rows that have not been reported.
        """
        for row in self.rows[self._reported :]:
            self._onRow(row)
        self._reported = len(self.rows)

    def replaceUnreported(self) -> None:
        """
        If no row has been reported, replace them all by "not offered": the host has sent nothing.
        """
        if not self._reported:
            self.rows = [self._notOffered(Verdict.TIMEOUT)]

"""
The results of C{ask} and C{ping} as JSON.
"""

from __future__ import annotations

from typing import Any

from sockservices.cli.exit_status import exitStatus
from sockservices.client import RequestFailed, Verdict

__all__ = ["describeVerdict"]


def describeVerdict(url: object, failure: RequestFailed | None) -> dict[str, Any]:
    """
    Describe a result: the target, the verdict, its exit status, and the description of the failure without the verdict.
    """
    verdict = Verdict.OK if failure is None else failure.verdict
    description = "" if failure is None else str(failure).partition(": ")[2]
    return {
        "url": str(url),
        "verdict": verdict.value,
        "exit_status": exitStatus(verdict),
        "description": description,
    }

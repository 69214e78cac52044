"""
The results of C{ask} and C{ping} as one JSON object on a line.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import click

from sockservices.cli.exit_status import exitStatus
from sockservices.client import RequestFailed, Verdict

__all__ = ["describeAnswer", "describeVerdict", "printObject"]


def describeVerdict(url: object, verdict: Verdict, failure: RequestFailed | None) -> dict[str, Any]:
    """
    Describe a result: the target, the verdict, its exit status, and the description of the failure without the verdict.
    """
    description = "" if failure is None else str(failure).partition(": ")[2]
    return {
        "url": str(url),
        "verdict": verdict.value,
        "exit_status": exitStatus(verdict),
        "description": description,
    }


def describeAnswer(answer: bytes) -> dict[str, Any]:
    r"""
    Describe data: as text, with C{\x..} for bytes that are not UTF-8, and unchanged in base64.
    """
    return {
        "bytes": len(answer),
        "text": answer.decode("utf-8", "backslashreplace"),
        "base64": b64encode(answer).decode("ascii"),
    }


def printObject(result: dict[str, Any]) -> None:
    """
    Print an object on one line, in ASCII.
    """
    click.echo(json.dumps(result))

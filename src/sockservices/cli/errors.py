"""
The error messages of the commands: one line each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from sockservices.client import RequestFailed

__all__ = ["addTarget", "usageMessage"]


def usageMessage(error: click.ClickException) -> str:
    """
    Give the message of an error in the command line: C{--timeout 0: expected a number of seconds above 0}.
    """
    if type(error) is click.BadParameter:
        option = f"{error.param.opts[0]} " if isinstance(error.param, click.Option) else ""
        return option + error.message
    return " ".join(error.format_message().split()).rstrip(".")


@contextmanager
def addTarget(target: object) -> Iterator[None]:
    """
    Put the target before the message of each L{RequestFailed} raised inside.
    """
    try:
        yield
    except RequestFailed as failure:
        failure.args = (f"{target}: {failure}",)
        raise

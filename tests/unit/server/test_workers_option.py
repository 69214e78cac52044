"""
The option C{--workers}.
"""

from __future__ import annotations

import pytest
from twisted.python.usage import UsageError

from sockservices.server.cores import availableCores
from sockservices.server.options import Options


def workers(*arguments: str) -> int:
    """
    The number of workers of the server that the arguments configure.
    """
    options = Options()
    options.parseOptions(list(arguments))
    return options.config.workers


def test_values() -> None:
    """
    The default is 1, and C{auto} is the number of cores.
    """
    assert [workers(), workers("--workers", "3"), workers("--workers", "auto")] == [1, 3, availableCores()]


@pytest.mark.parametrize("value", ["0", "-1", "257", "1.5", "all", "", "\u0663", "9" * 5000])
def test_errors(value: str) -> None:
    """
    Other values are errors.
    """
    with pytest.raises(UsageError, match=r"--workers .*: expected 1 to 256, or auto"):
        workers("--workers", value)

"""
A socket whose system calls fail on request.
"""

from __future__ import annotations

import os
import socket
from typing import Any

__all__ = ["FailingSocket"]


class FailingSocket:
    """
    A socket on which the first calls of some methods raise L{OSError}.
    """

    def __init__(self, opened: socket.socket, **errors: list[int]) -> None:
        """
        @param errors: the error numbers of the calls, by the method's name; 0 is a call that does not fail. The test
            may extend or read these lists.
        """
        self._socket = opened
        self._errors = errors

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._socket, name)

        def call(*arguments: Any) -> Any:
            number = self._errors[name].pop(0) if self._errors[name] else 0
            if number:
                raise OSError(number, os.strerror(number))
            return method(*arguments)

        return call if name in self._errors else method

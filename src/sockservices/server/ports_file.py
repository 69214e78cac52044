"""
A file with the server's addresses, for other programs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.python.filepath import FilePath

__all__ = ["PortsFile"]

log = Logger("sockservices")


class PortsFile:
    """
    The addresses of all listeners, as a JSON list. The file is complete as soon as it exists.
    """

    def __init__(self, path: str) -> None:
        """
        Remove the file that a killed server has left.
        """
        self._path = Path(path)
        self._content = b""
        with suppress(OSError):
            self._path.unlink()

    def write(self, listeners: Sequence[dict[str, Any]]) -> None:
        """
        Write the file. Log an error where that is not possible.

        @param listeners: the address of each, as fields.
        """
        lines = ",\n ".join(map(json.dumps, listeners))
        self._content = f"[\n {lines}\n]\n".encode()
        try:
            # Writes to PATH.new, and renames that.
            FilePath(str(self._path)).setContent(self._content, ".new")
        except OSError as error:
            log.error("--ports-file {file}: {error}", file=self._path, error=error.strerror)

    def remove(self) -> None:
        """
        Remove the file, unless another program has written it since.
        """
        with suppress(OSError):
            if self._path.read_bytes() == self._content:
                self._path.unlink()

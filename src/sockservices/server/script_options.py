"""
The option C{--script}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from twisted.python.usage import UsageError

from sockservices.scripting.script import Script
from sockservices.scripting.script_file import ScriptError, loadScript
from sockservices.transports.binding_strings import portNumber

__all__ = ["ScriptOption", "scriptsOf"]


class ScriptOption(NamedTuple):
    """
    A script that the user named.

    @ivar port: the port that the user gave; L{None} if it is that of the file.
    @ivar origin: the option, for error messages.
    """

    script: Script
    port: int | None
    origin: str


def scriptsOf(texts: Iterable[str]) -> dict[str, ScriptOption]:
    """
    The scripts that the options name, by the name of the service.

    @param texts: the values of C{--script}.
    @raise UsageError: naming the option, the file with the line or the key, and the expected values.
    """
    scripts: dict[str, ScriptOption] = {}
    for text in texts:
        origin = f"--script {text}"
        parts = re.fullmatch(r"(.+\.toml)(?:=([^/]*))?", text)
        if parts is None:
            raise UsageError(f"{origin}: expected PATH.toml or PATH.toml=PORT")
        path, port = parts.groups()
        try:
            script = loadScript(path)
            number = None if port is None else portNumber(port)
        except ScriptError as error:
            raise UsageError(f"--script {error}") from None
        except ValueError as error:
            raise UsageError(f"{origin}: {error}") from None
        if script.name in scripts:
            raise UsageError(f"{origin}: expected another name than {script.name!r}, which another script has")
        scripts[script.name] = ScriptOption(script, number, origin)
    return scripts

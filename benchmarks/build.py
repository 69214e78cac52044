"""
Compiles the programs in C: the load generator and the reference server.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["BuildError", "build"]

SOURCES = Path(__file__).parent


class BuildError(Exception):
    """
    The programs cannot be compiled. The text is the reason, in one line.
    """


def build(folder: Path) -> None:
    """
    Compile the load generator and the reference server into a folder.

    @raise BuildError: if there is no compiler, or it fails.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise BuildError("cc: not found on PATH; expected a C compiler (Debian: apt install gcc libc6-dev)")
    for name in ("load", "echo"):
        command = [compiler, "-O2", "-o", str(folder / name), str(SOURCES / f"{name}.c")]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode:
            errors = [line for line in built.stderr.splitlines() if "error" in line]
            raise BuildError(f"cc cannot compile {name}.c: {(errors or ['unknown error'])[0]}")

"""
The programs in C.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["BuildError", "build"]

SOURCES = Path(__file__).parent


class BuildError(Exception):
    """
    The programs could not be built; why, in one line.
    """


def build(folder: Path) -> None:
    """
    Build the load generator and the C server into a folder.

    @raise BuildError: where there is no compiler, or it fails.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise BuildError("a C compiler is needed, and there is no cc on the PATH (Debian: apt install gcc libc6-dev)")
    for name in ("load", "echo"):
        command = [compiler, "-O2", "-o", str(folder / name), str(SOURCES / f"{name}.c")]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode:
            faults = [line for line in built.stderr.splitlines() if "error" in line]
            raise BuildError(f"cc could not build {name}.c: {(faults or ['it failed'])[0]}")

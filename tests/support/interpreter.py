"""
A Python interpreter that has imported nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import sockservices

__all__ = ["runFresh"]


def runFresh(code: str) -> str:
    """
    Run code in an interpreter that has imported nothing.

    @return: its output, standard error included.
    """
    path = os.pathsep.join([str(Path(sockservices.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    return result.stdout + result.stderr

"""
Describes the machine and the software versions of a measurement.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe"]

LIBRARIES = ("sockservices", "twisted", "uvloop", "gevent")
PROGRAMS = {
    "cc": ["cc", "--version"],
    "nginx": ["nginx", "-v"],
    "go": ["go", "version"],
    "socat": ["socat", "-V"],
    "xinetd": ["xinetd", "-version"],
}


def describe() -> dict[str, str]:
    """
    Describe the processor, the kernel, Python, libraries and programs.

    @return: text by name; what is not installed is left out.
    """
    found = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    for program, command in PROGRAMS.items():
        if shutil.which(program):
            output = subprocess.run(command, capture_output=True, text=True, check=False)
            if number := re.search(r"\d+(\.\d+)+", re.sub(r"\(.*?\)", "", output.stdout + output.stderr)):
                found[program] = number[0]
    return found


def _processor() -> str:
    information = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", information, re.MULTILINE)
    return model[1] if model else platform.machine()

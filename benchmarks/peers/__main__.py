"""
C{python -m benchmarks.peers NAME SERVICE FOLDER}: be one of the servers.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

from benchmarks.peers import module

#: prctl(2): the signal to get when the parent dies. No server outlives a run that is killed.
PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    name, service, folder = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    module(name).serve(service, Path(folder))

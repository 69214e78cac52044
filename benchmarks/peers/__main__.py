"""
C{python -m benchmarks.peers NAME SERVICE FOLDER}: runs one of the servers.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

from benchmarks.peers import peerModule

#: The option of prctl(2) to get a signal when the parent dies: no server outlives a benchmark that is killed.
PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    name, service, folder = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    peerModule(name).serve(service, Path(folder))

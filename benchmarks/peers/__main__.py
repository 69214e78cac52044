"""
C{python -m benchmarks.peers NAME SERVICE FOLDER WORKERS}: runs one of the servers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.peers import endWithParent, peerModule

if __name__ == "__main__":
    name, service, folder, workers = sys.argv[1:]
    endWithParent()
    options = {"workers": int(workers)} if int(workers) > 1 else {}
    peerModule(name).serve(service, Path(folder), **options)

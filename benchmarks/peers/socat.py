"""
socat: a process for every connection.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import HOST, WELCOME, become, free

SERVICES = {"tcp", "welcome"}
PROGRAM = "socat"
UNFIT = dict.fromkeys(("tcp1000", "idle"), "a process for every connection")


def serve(service: str, folder: Path) -> None:
    """
    Become C{socat}.
    """
    port = free()
    answer = "PIPE"
    if service == "welcome":
        script = folder / "welcome.sh"
        script.write_text(f"head -c 1 >/dev/null; printf '{WELCOME.decode()}'\n")
        answer = f"EXEC:sh {script}"
    become(port, "socat", f"TCP-LISTEN:{port},bind={HOST},fork,reuseaddr,backlog=1024", answer)

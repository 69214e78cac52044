"""
socat: a process per connection.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import HOST, WELCOME, execServer, freePort

SERVICES = {"tcp", "welcome"}
PROGRAM = "socat"
EXCLUDED = dict.fromkeys(("tcp1000", "idle"), "a process per connection")


def serve(service: str, folder: Path) -> None:
    """
    Replace this process by C{socat}.
    """
    port = freePort()
    address = "PIPE"
    if service == "welcome":
        script = folder / "welcome.sh"
        script.write_text(f"head -c 1 >/dev/null; printf '{WELCOME.decode()}'\n")
        address = f"EXEC:sh {script}"
    execServer(port, "socat", f"TCP-LISTEN:{port},bind={HOST},fork,reuseaddr,backlog=1024", address)

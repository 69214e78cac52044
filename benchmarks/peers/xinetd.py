"""
xinetd: its own echo service, a process per connection.
"""

from __future__ import annotations

import getpass
from pathlib import Path

from benchmarks.peers import HOST, execServer, freePort

SERVICES = {"tcp"}
PROGRAM = "xinetd"
EXCLUDED = dict.fromkeys(("tcp1000", "idle"), "a process per connection")

CONFIGURATION = """
service echo
{{
    type        = INTERNAL UNLISTED
    socket_type = stream
    protocol    = tcp
    wait        = no
    user        = {user}
    bind        = {host}
    port        = {port}
    instances   = UNLIMITED
    per_source  = UNLIMITED
    cps         = 1000000 1
}}
"""


def serve(service: str, folder: Path) -> None:
    """
    Replace this process by C{xinetd}.
    """
    port = freePort()
    configuration = folder / "xinetd.conf"
    configuration.write_text(CONFIGURATION.format(user=getpass.getuser(), host=HOST, port=port))
    execServer(port, "xinetd", "-dontfork", "-f", str(configuration), "-pidfile", str(folder / "xinetd.pid"))

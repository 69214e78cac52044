"""
xinetd: its own echo service, a process for every connection.
"""

from __future__ import annotations

import getpass
from pathlib import Path

from benchmarks.peers import HOST, become, free

SERVICES = {"tcp"}
PROGRAM = "xinetd"
UNFIT = dict.fromkeys(("tcp1000", "idle"), "a process for every connection")

SERVICE = """
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
    Become C{xinetd}.
    """
    port = free()
    configuration = folder / "xinetd.conf"
    configuration.write_text(SERVICE.format(user=getpass.getuser(), host=HOST, port=port))
    become(port, "xinetd", "-dontfork", "-f", str(configuration), "-pidfile", str(folder / "xinetd.pid"))

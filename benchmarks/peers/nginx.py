"""
nginx: its stream module, with worker processes.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.peers import GREETING, HOST, execServer, freePort

SERVICES = {"greet"}
PROGRAM = "nginx"
WORKERS = "processes"

CONFIGURATION = """
{module}
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
worker_processes {workers};
events {{
    worker_connections 4096;
}}
stream {{
    server {{
        listen {host}:{port} backlog=1024;
        return {greeting};
    }}
}}
"""


def serve(service: str, folder: Path, workers: int = 1) -> None:
    """
    Replace this process by C{nginx}.
    """
    port = freePort()
    build = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr
    text = CONFIGURATION.format(
        module="load_module modules/ngx_stream_module.so;" if "--with-stream=dynamic" in build else "",
        folder=folder,
        workers=workers,
        host=HOST,
        port=port,
        greeting=GREETING.decode(),
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    execServer(port, "nginx", "-e", "stderr", "-c", str(configuration))

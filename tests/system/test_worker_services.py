"""
Services of other packages with several workers.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sockservices.registry import GROUP
from tests.support.twistd import environment
from tests.support.workers import WorkerServer, echo, waitUntil

PACKAGE = """
import os
import stat

from sockservices import Responder


class Report(Responder):
    '''
    Prints each message, and answers with the number of sockets of its process, its own included.
    '''

    name = "report"
    port = 9999

    def answer(self, message):
        print(message)
        found = [path for path in (f"/proc/self/fd/{number}" for number in range(200)) if os.path.exists(path)]
        return b"%d" % sum(stat.S_ISSOCK(os.stat(path).st_mode) for path in found)


class Another(Report):
    name = "another"
"""


def install(folder: Path, *services: str) -> None:
    """
    Install a package with services.
    """
    (folder / "reports.py").write_text(PACKAGE)
    information = folder / "reports-1.0.dist-info"
    information.mkdir(exist_ok=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: reports\nVersion: 1.0\n")
    points = [f"{name.lower()} = reports:{name}" for name in services]
    (information / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points, ""]))


def test_servicesOfOtherPackages(tmp_path: Path) -> None:
    """
    The log has what a service prints, at once. After a restart, workers serve no service that was installed since the
    start of the server; they do not start if one was removed.
    """
    install(tmp_path, "Report")
    variables = environment()
    variables["PYTHONPATH"] += os.pathsep + str(tmp_path)
    del variables["PYTHONUNBUFFERED"]
    with WorkerServer("--service", "all=0", "--workers", "2", env=variables) as server:
        address = server.address("report")
        sockets = echo(address)
        server.waitFor(r"worker \d#warn\] b'hello'")
        install(tmp_path, "Another", "Report")
        os.kill(server.pid, signal.SIGHUP)
        server.waitFor("restarted")
        waitUntil(lambda: len(server.workers) == 2)
        assert echo(address) == sockets
        install(tmp_path, "Another")
        os.kill(server.pid, signal.SIGHUP)
        server.waitFor(
            "the restart failed: .*the services have changed: restart the server; the previous workers continue"
        )
        assert echo(address) == sockets

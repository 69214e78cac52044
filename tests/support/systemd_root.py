"""
The root folder of a systemd in a test, with this checkout installed as docs/systemd expects it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from tests.support.twistd import ROOT

__all__ = ["PROGRAM", "UNITS", "makeRoot"]

PROGRAM = Path("/usr/lib/systemd/systemd")

#: The folder of unit files, relative to the root folder.
UNITS = Path("etc/systemd/system")

#: Units of the distribution. Its other units are left out: they mount file systems, configure devices and log users in.
DISTRIBUTION_UNITS = (
    "basic.target",
    "multi-user.target",
    "network.target",
    "shutdown.target",
    "sockets.target",
    "sysinit.target",
    "systemd-journald.service",
    "systemd-journald.socket",
)

#: The files of /etc that the C library reads: of users, and of shared libraries.
ETC = ("group", "ld.so.cache", "nsswitch.conf", "passwd")

#: The folder of the installation that docs/systemd expects, relative to the root folder.
INSTALLATION = Path("opt/sockservices")


def makeRoot(root: Path) -> list[str]:
    """
    Make the files and folders of a root folder.

    @return: pairs of a folder and where to mount it, relative to the root folder.
    """
    units = root / UNITS
    for name in ("dev", "old", "proc", "root", "run", "sys", "tmp", "usr", "var/tmp", UNITS):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    for name in ETC:
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), root / "etc")
    (root / "var/run").symlink_to("../run")
    (root / "etc/machine-id").write_text(f"{os.urandom(16).hex()}\n")
    for name in DISTRIBUTION_UNITS:
        (units / name).symlink_to(PROGRAM.parent / "system" / name)
    wants = units / "sysinit.target.wants"
    wants.mkdir()
    (wants / "systemd-journald.service").symlink_to("../systemd-journald.service")
    for unit in (ROOT / "docs" / "systemd").iterdir():
        shutil.copy(unit, units)
    return ["/usr", "usr", *_install(root)]


def _install(root: Path) -> list[str]:
    """
    Install a command that runs this interpreter with the modules of this process. They are mounted, because units
    with ProtectHome= and PrivateTmp= do not see the folders where they are.

    @return: see L{makeRoot}.
    """
    # The interpreter of a virtual environment is a symbolic link to that of its base.
    base = Path(sys.base_prefix).resolve()
    interpreter = Path("/", INSTALLATION, "python", Path(sys.executable).resolve().relative_to(base))
    mounts = {str(base): str(INSTALLATION / "python")}
    for number, folder in enumerate(each for each in sys.path if each and Path(each).is_dir()):
        mounts[folder] = str(INSTALLATION / f"path{number}")
    for place in mounts.values():
        (root / place).mkdir(parents=True)
    modules = ":".join(f"/{place}" for place in list(mounts.values())[1:])
    command = root / INSTALLATION / "bin" / "sockservices"
    command.parent.mkdir()
    command.write_text(
        "#!/bin/sh\n"
        f"export LD_LIBRARY_PATH=/{INSTALLATION}/python/lib\n"
        f"export PYTHONPATH=${{PYTHONPATH:+$PYTHONPATH:}}{modules}\n"
        f'exec {shlex.quote(str(interpreter))} -m sockservices "$@"\n'
    )
    command.chmod(0o755)
    return [name for mount in mounts.items() for name in mount]

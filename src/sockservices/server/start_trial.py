"""
What twistd does to its process after the sockets are open, tried before they are.
"""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from pwd import getpwuid
from tempfile import mkstemp
from typing import Any, NoReturn

from twisted.python.util import switchUID

from sockservices.server.config import ServerConfig
from sockservices.server.worker_command import tryWorker

__all__ = ["keptGroups", "tryStart"]


def tryStart(twistd: Mapping[str, Any], config: ServerConfig, arguments: Sequence[str]) -> str:
    """
    Apply twistd's options to a child process, as twistd applies them to this one later: root directory, working
    directory, umask, pid file, user and groups. Only the kernel knows all rules for these, such as capabilities(7).

    For a daemon, also start a worker, as this user. In the foreground, the start itself fails when a worker does.

    @param twistd: its options.
    @param config: the server.
    @param arguments: its options.
    @return: the first error, beginning with the option, or C{""}.
    """
    steps = list(_steps(twistd))
    if config.portsFile:
        steps.append((f"--ports-file {config.portsFile}", partial(_tryCreating, Path(config.portsFile))))
    if config.workers > 1 and not twistd.get("nodaemon", True):
        steps.append((f"--workers {config.workers}", partial(tryWorker, arguments)))
    if not steps:
        return ""
    try:
        reader, writer = os.pipe()
        child = os.fork()
    except OSError:
        # No process or descriptor is free. A server in the foreground needs no other process.
        return ""
    if not child:
        _run(steps, writer)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8", errors="surrogateescape") as pipe:
        error = pipe.read()
    os.waitpid(child, 0)
    return error


def _run(steps: list[tuple[str, Callable[[], object]]], writer: int) -> NoReturn:
    """
    Run the steps, write the first error to a pipe, and end this process.
    """
    try:
        error = next(filter(None, (_errorOf(option, step) for option, step in steps)), "")
        os.write(writer, error.encode("utf-8", "surrogateescape"))
    finally:
        # sys.exit() would flush buffers and run exit functions of the parent process a second time.
        os._exit(0)


def _errorOf(option: str, step: Callable[[], object]) -> str:
    try:
        step()
    except OSError as error:
        return f"{option}: {error.strerror}"
    except KeyError:
        return f"{option}: there is no such user"
    except (OverflowError, ValueError) as error:
        return f"{option}: {error}"
    return ""


def _steps(twistd: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], object]]]:
    """
    The steps of twistd, in its order, each with its option.
    """
    chroot, rundir, umask = twistd.get("chroot"), twistd.get("rundir", "."), twistd.get("umask")
    uid, gid, pidfile = twistd.get("uid"), twistd.get("gid"), twistd.get("pidfile")
    if pidfile:
        pidfile = os.path.abspath(pidfile)  # noqa: PTH100 (as twistd does: symbolic links are kept)
        yield f"--pidfile {pidfile}", partial(_read, pidfile)
    if chroot is not None:
        yield f"--chroot {chroot}", partial(os.chroot, chroot)
        rundir = "/" if rundir == "." else rundir
    if rundir != ".":
        yield f"--rundir {rundir}", partial(os.chdir, rundir)
    if umask is not None:
        yield f"--umask {umask:o}", partial(os.umask, umask)
    if pidfile:
        yield f"--pidfile {pidfile}", partial(_tryWriting, pidfile)
    groups = keptGroups(twistd)
    if groups is not None:
        yield f"--gid {gid}", partial(os.setgroups, groups)
    if uid is not None:
        yield f"--uid {uid}", partial(_switchUser, uid, gid, bool(twistd.get("euid")))
    elif gid is not None:
        yield f"--gid {gid}", partial(_switchUser, uid, gid, bool(twistd.get("euid")))


def keptGroups(twistd: Mapping[str, Any]) -> list[int] | None:
    """
    The groups to keep when privileges are shed, where twistd would keep all of root's: with C{--gid} alone.
    """
    uid, gid = twistd.get("uid"), twistd.get("gid")
    return [gid] if gid is not None and uid is None and os.geteuid() == 0 else None


def _read(path: str) -> None:
    try:
        # O_NONBLOCK: a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    try:
        os.read(descriptor, 1)
    finally:
        os.close(descriptor)


def _tryWriting(path: str) -> None:
    """
    Open a file for writing if it exists. Otherwise create and remove one beside it: under the name itself, a server
    that starts at the same time would find an empty pid file.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except FileNotFoundError:
        _tryCreating(Path(path))


def _tryCreating(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected a file, not a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder")
    descriptor, other = mkstemp(dir=path.parent)
    os.close(descriptor)
    os.unlink(other)  # noqa: PTH108


def _switchUser(uid: int | None, gid: int | None, euid: bool) -> None:
    if uid is not None and gid is None:
        gid = getpwuid(uid).pw_gid
    with warnings.catch_warnings():
        # Of a process that has this user already.
        warnings.simplefilter("ignore")
        switchUID(uid, gid, euid)

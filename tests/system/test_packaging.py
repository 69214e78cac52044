"""
The distributions: their contents, and their installation, run and uninstallation.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import twisted

from sockservices import __version__
from tests.support.twistd import ROOT, Twistd

packaging = pytest.mark.packaging

PLUGIN = "twisted/plugins/sockservices_plugin.py"

#: Files that would shadow or overwrite Twisted's own.
FORBIDDEN = {"twisted/__init__.py", "twisted/plugins/__init__.py", "twisted/plugins/dropin.cache"}

#: Compares the plugin files of Twisted with the hashes in its installation record, and prints those that differ.
PRINT_CHANGED_PLUGINS = """
import base64, hashlib
from importlib.metadata import files
for file in files("twisted"):
    if file.match("twisted/plugins/*.py"):
        path = file.locate()
        digest = hashlib.sha256(path.read_bytes()).digest() if path.exists() else b""
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != file.hash.value:
            print(file)
"""


def run(*command: str | Path, cwd: Path, ok: bool = True) -> str:
    """
    Run a command without access to the checkout.

    @param ok: whether the command must succeed.
    @return: its output, standard error included.
    """
    result = subprocess.run(command, cwd=cwd, env=cleanEnvironment(), capture_output=True, text=True, timeout=180)
    assert not ok or result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def cleanEnvironment() -> dict[str, str]:
    """
    The environment without the variables that change where Python finds modules.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


@dataclass
class Built:
    """
    A copy of the project, and the distributions built from it.
    """

    tree: Path
    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """
    Build the project from a copy without version control.
    """
    tree, out = tmp_path_factory.mktemp("tree") / "copy", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__", "_trial_temp*"))
    # Twisted writes this cache of the machine's plugins into an editable installation. It must not be distributed.
    (tree / "twisted/plugins/dropin.cache").touch()
    run(sys.executable, "-m", "build", "--outdir", out, tree, cwd=out)
    return Built(tree, next(out.glob("*.tar.gz")), next(out.glob("*.whl")))


def test_pluginFolder() -> None:
    """
    The checkout's C{twisted} folder adds plugins to Twisted, and does not shadow it.
    """
    assert not [name for name in FORBIDDEN if name.endswith("__init__.py") and (ROOT / name).exists()]
    assert ROOT / "twisted" not in Path(twisted.__file__).parents
    assert (ROOT / PLUGIN).exists()


@packaging
def test_wheel(built: Built) -> None:
    """
    The wheel contains the package, its marker for type checkers and its plugins, and nothing else.
    """
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
    information = f"sockservices-{__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"sockservices", "twisted", information}
    assert {PLUGIN, "sockservices/py.typed", f"{information}/licenses/LICENSE"} <= names
    assert not FORBIDDEN & names
    assert all(name.startswith("twisted/plugins/sockservices_") for name in names if name.startswith("twisted"))


@packaging
def test_sdist(built: Built) -> None:
    """
    The source distribution contains the source, the plugins, the tests and the documents.
    """
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    required = {
        "pyproject.toml",
        "noxfile.py",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "changelog.d/README.md",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "src/sockservices/py.typed",
        "tests/support/twistd.py",
    }
    assert required | {PLUGIN} <= names
    assert not FORBIDDEN & names


@packaging
@pytest.mark.parametrize("form", ["wheel", "sdist", "editable"])
def test_installation(built: Built, form: str, tmp_path: Path) -> None:
    """
    Each form of installation provides the commands in any working directory, and they serve. Uninstalling removes the
    commands and leaves Twisted's files unchanged.
    """
    place = tmp_path / "environment"
    away = tmp_path / "away"
    away.mkdir()
    venv.create(place, symlinks=True)
    binaries = place / "bin"
    pip = (sys.executable, "-m", "pip", "--python", str(binaries / "python"))
    source = {"wheel": (built.wheel,), "sdist": (built.sdist,), "editable": ("-e", built.tree)}[form]
    run(*pip, "install", *source, cwd=away)

    plugin = run(binaries / "python", "-c", f"import {PLUGIN[:-3].replace('/', '.')} as p; print(p.__file__)", cwd=away)
    assert (built.tree in Path(plugin).parents) == (form == "editable")
    assert "\n    sockservices " in run(binaries / "twistd", "--help", cwd=away)
    assert __version__ in run(binaries / "sockservices", "serve", "--version", cwd=away)
    assert __version__ in run(binaries / "python", "-m", "sockservices", "serve", "--version", cwd=away)
    echoes((str(binaries / "twistd"), "-n", "--pidfile=", "sockservices"), away)
    echoes((str(binaries / "sockservices"), "serve"), away)
    assert not list(away.iterdir())

    run(*pip, "uninstall", "-y", "sockservices", cwd=away)
    assert run(binaries / "python", "-c", PRINT_CHANGED_PLUGINS, cwd=away) == ""
    assert "sockservices" not in run(binaries / "twistd", "--help", cwd=away)
    assert not (binaries / "sockservices").exists()


def echoes(command: tuple[str, ...], cwd: Path) -> None:
    """
    Start the server with a command, and check that its echo service replies.
    """
    with (
        Twistd(
            "--service=echo=0", command=command, env=cleanEnvironment() | {"PYTHONUNBUFFERED": "1"}, cwd=cwd
        ) as server,
        socket.create_connection(server.address("echo"), 10) as client,
    ):
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        assert client.makefile("rb").read() == b"hello"


#: Tests of another project, which installs the wheel. Each stage has the packages to install in addition, the options
#: of pytest, and one more file of tests.
STAGES = (
    (
        ("pytest",),
        ("-p", "no:cacheprovider"),
        """
import socket

def test_blocking(sockservice):
    server = sockservice("echo", "tcp")
    with socket.create_connection(server.address) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
    server.wait(1)
    assert server.visits[0].received == 5
""",
    ),
    (
        ("pytest-xdist",),
        ("-n", "2"),
        """
import pytest, socket

@pytest.mark.parametrize("number", range(20))
def test_many(sockservice, number):
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(sockservice("echo", "udp").address)
        client.send(b"hello")
        assert client.recv(100) == b"hello"
""",
    ),
    (
        ("pytest-asyncio",),
        ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
        """
import asyncio, pytest

@pytest.fixture
async def connection(sockservice):
    server = sockservice("welcome", "tcp")
    reader, writer = await asyncio.open_connection(*server.address)
    yield reader, writer
    writer.close()
    await writer.wait_closed()
    await asyncio.to_thread(server.wait, 1)

async def test_asyncio(connection):
    reader, writer = connection
    writer.write(b"1")
    assert await reader.read() == b"welcome to server!"
""",
    ),
    (
        ("anyio", "trio"),
        ("-p", "no:asyncio"),
        """
import anyio, pytest, trio

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_anyio(sockservice):
    async with await anyio.connect_tcp(*sockservice("echo").address) as stream:
        await stream.send(b"hello")
        assert await stream.receive() == b"hello"

def test_trio(sockservice):
    server = sockservice("echo")

    async def converse():
        async with await trio.open_tcp_stream(*server.address) as stream:
            await stream.send_all(b"hello")
            assert await stream.receive_some() == b"hello"

    trio.run(converse)
    server.wait(1)
""",
    ),
    (
        ("pytest-trio",),
        ("-p", "no:asyncio"),
        """
import pytest, trio

async def greeter(peer):
    await peer.send(b"hello " + await peer.receiveLine())

@pytest.fixture
async def connection(sockservice):
    server = sockservice(greeter)
    async with await trio.open_tcp_stream(*server.address) as stream:
        yield stream
    await trio.to_thread.run_sync(server.wait, 1)
    assert server.visits[0].received == 3

@pytest.mark.trio
async def test_pytestTrio(connection):
    await connection.send_all(b"me\\n")
    assert await connection.receive_some() == b"hello me"
""",
    ),
    (
        ("pytest-twisted",),
        ("-p", "no:asyncio"),
        """
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThread

@pytest_twisted.ensureDeferred
async def test_twisted(sockservice):
    server, client, received = sockservice("echo"), Protocol(), Deferred()
    client.dataReceived = received.callback
    await connectProtocol(clientFromString(reactor, "tcp:{}:{}".format(*server.address)), client)
    client.transport.write(b"hello")
    assert await received == b"hello"
    client.transport.loseConnection()
    await deferToThread(server.wait, 1)
    assert server.visits[0].received == 5
""",
    ),
)


@packaging
def test_otherProject(built: Built, tmp_path: Path) -> None:
    """
    In another project, tests with the fixture pass under pytest alone. They also pass after the installation of each
    further pytest plugin, together with the tests of that plugin.
    """
    place, project = tmp_path / "environment", tmp_path / "project"
    (project / "tests").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "client"\nversion = "1"\n[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n'
    )
    venv.create(place, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"))
    run(*pip, "install", built.wheel, "pytest", cwd=project)
    for requirements, options, tests in STAGES:
        run(*pip, "install", *requirements, cwd=project)
        own = project / "tests" / f"test_{requirements[0].replace('-', '_')}.py"
        own.write_text(tests)
        # pytest-asyncio runs every coroutine test. trio warns about the signal handlers of pytest-twisted's reactor.
        trio = {"test_anyio.py", "test_pytest_trio.py"}
        excluded = {"test_pytest_asyncio.py"} | (trio if "pytest-twisted" in requirements else set())
        others = {file for file in project.glob("tests/*.py") if file.name not in excluded}
        output = run(place / "bin" / "pytest", "-q", *options, *sorted({own, *others}), cwd=project)
        assert re.search(r"^\d+ passed in", output, re.MULTILINE), output

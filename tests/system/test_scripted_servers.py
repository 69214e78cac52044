"""
Scripted servers in the tests of other people, with the plugins that they have.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

import sockservices

#: A server that expects HELO, and a client that sends EHLO.
SERVER = """
import socket
import pytest

async def smtp(peer):
    await peer.expect(b"HELO me\\r\\n")

def send(server):
    with socket.create_connection(server.address) as client:
        client.sendall(b"EHLO me\\r\\n")
"""

#: The tests of each kind of project, and its plugins, with their modules.
PROJECTS = {
    "pytest alone": ("def test_client(sockservice):\n    send(sockservice(smtp))", []),
    "check": (
        "def test_client(sockservice):\n    server = sockservice(smtp)\n    send(server)\n    server.check()",
        [],
    ),
    "xdist": ("def test_client(sockservice):\n    send(sockservice(smtp))", ["-p", "xdist", "-n", "2"]),
    "pytest_asyncio": (
        "import asyncio\nasync def test_client(sockservice):\n"
        "    reader, writer = await asyncio.open_connection(*sockservice(smtp).address)\n"
        "    writer.write(b'EHLO me\\r\\n')\n    await writer.drain()\n    writer.close()\n",
        ["-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=auto"],
    ),
    **{
        f"anyio on {backend}": (
            f"import anyio, {backend}\n@pytest.fixture\ndef anyio_backend():\n    return '{backend}'\n"
            "@pytest.mark.anyio\nasync def test_client(sockservice):\n"
            "    async with await anyio.connect_tcp(*sockservice(smtp).address) as stream:\n"
            "        await stream.send(b'EHLO me\\r\\n')\n",
            ["-p", "anyio.pytest_plugin"],
        )
        for backend in ("asyncio", "trio")
    },
    "pytest_trio": (
        "import trio\n@pytest.mark.trio\nasync def test_client(sockservice):\n"
        "    async with await trio.open_tcp_stream(*sockservice(smtp).address) as stream:\n"
        "        await stream.send_all(b'EHLO me\\r\\n')\n",
        ["-p", "pytest_trio.plugin"],
    ),
    "pytest_twisted": (
        "import pytest_twisted\nfrom twisted.internet.threads import deferToThread\n"
        "@pytest_twisted.ensureDeferred\nasync def test_client(sockservice):\n"
        "    await deferToThread(send, sockservice(smtp))\n",
        ["-p", "pytest_twisted"],
    ),
}


@pytest.mark.parametrize("project", PROJECTS)
def test_failure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, project: str) -> None:
    """
    A client that sends something else than expected fails its test. The report shows both, the line of the coroutine,
    and the first byte that differs.
    """
    test, plugins = PROJECTS[project]
    if plugins and find_spec(plugins[1].partition(".")[0]) is None:
        pytest.skip(f"{plugins[1]} is not installed")
    root = str(Path(sockservices.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(SERVER + test)
    result = pytester.runpytest_subprocess("-p", "sockservices.pytest_plugin", "-p", "no:cacheprovider", *plugins)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            '>   *await peer.expect(b"HELO me\\r\\n")',
            "E   *Mismatch: different from byte 0 on",
            "E       *expected: b'HELO me\\r\\n'",
            "E       *received: b'EHLO me\\r\\n'",
        ]
    )

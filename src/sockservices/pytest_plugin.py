"""
The pytest plugin: its fixture C{sockservice} starts a server within a test.

Every run of pytest imports it, so it imports no more than pytest until a test asks for a server.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sockservices.testing.background_reactor import BackgroundReactor
    from sockservices.testing.fixture import Servers

__all__ = ["sockservice"]

#: The servers of a test, for its report.
_SERVERS: pytest.StashKey[Servers] = pytest.StashKey()


@pytest.fixture(scope="session")
def _sockservicesReactor() -> Iterator[BackgroundReactor]:
    """
    The reactor of all servers. It starts with the first of them.
    """
    from sockservices.testing.background_reactor import BackgroundReactor
    from sockservices.testing.socket_folder import removedBySIGTERM

    background = BackgroundReactor()
    with removedBySIGTERM():
        yield background
    background.stop()


@pytest.fixture
def sockservice(request: pytest.FixtureRequest, _sockservicesReactor: BackgroundReactor) -> Iterator[Servers]:
    """
    Starts real servers, which listen until the test is over.

    server = sockservice("echo", "tcp"): first the name of a service or a Responder class, then "tcp", "udp", "unix" or
    "unixgram". Keywords are interface (an IP address), timeout, and the other limits of sockservices.Policy. The server
    has an address for connect(), the visits of the conversations that have ended, and wait(count), until so many have.
    """
    from sockservices.testing.fixture import Servers

    servers = request.node.stash[_SERVERS] = Servers(_sockservicesReactor)
    yield servers
    servers.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """
    Show in the report of a failed test what its servers have logged.
    """
    report = yield
    servers = item.stash.get(_SERVERS, None)
    if servers is not None:
        log = servers.log() if report.failed else ""
        if log:
            report.sections.append(("sockservices log", log))
        if report.when == "teardown":
            del item.stash[_SERVERS]
    return report

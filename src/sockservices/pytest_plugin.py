"""
The pytest plugin. Its fixtures C{sockservice} and C{sockservice_session} start servers for tests.

Every pytest run imports this module, so it imports no package but pytest until a test uses the fixture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sockservices.testing.background_reactor import BackgroundReactor
    from sockservices.testing.fixture import Servers

__all__ = ["sockservice", "sockservice_session"]

#: The servers of a test or of the session, for the report of a failure.
_SERVERS: pytest.StashKey[Servers] = pytest.StashKey()


@pytest.fixture(scope="session")
def _sockservicesReactor() -> Iterator[BackgroundReactor]:
    """
    The reactor of all servers of the run. The first server starts it.
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
    Starts real servers, which listen until the end of the test.

    server = sockservice("echo", "tcp"): the name of a service or a Responder class, and "tcp", "udp", "unix" or
    "unixgram". Keyword arguments: interface (an IP address), faults and their seed, timeout, and the other fields of
    sockservices.Policy.
    server.address is an argument for connect(); server.visits lists the conversations that have ended;
    server.wait(count) waits until count conversations have ended; server.connections is the number of open ones, and
    server.received has the bytes of each; server.stop() and server.start() restart the server at its address.
    """
    yield from _servers(request, _sockservicesReactor)


@pytest.fixture(scope="session")
def sockservice_session(request: pytest.FixtureRequest, _sockservicesReactor: BackgroundReactor) -> Iterator[Servers]:
    """
    Starts real servers, as sockservice does, which listen until the end of the run, or until server.stop(): for
    fixtures with the scope of a class, module, package or session.
    """
    yield from _servers(request, _sockservicesReactor)


def _servers(request: pytest.FixtureRequest, reactor: BackgroundReactor) -> Iterator[Servers]:
    from sockservices.testing.fixture import Servers

    servers = request.node.stash[_SERVERS] = Servers(reactor)
    yield servers
    servers.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """
    Add the log of a failed test's servers to the test's report.
    """
    report = yield
    if report.failed:
        for node, fixture in ((item, "sockservice"), (item.session, "sockservice_session")):
            servers = node.stash.get(_SERVERS, None) if fixture in getattr(item, "fixturenames", ()) else None
            log = "" if servers is None else servers.log()
            if log:
                report.sections.append(("sockservices log", log))
    if report.when == "teardown" and _SERVERS in item.stash:
        del item.stash[_SERVERS]
    return report

"""
The fixture C{sockservice_session}, in a pytest subprocess.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import sockservices


def test_scopes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A fixture of any scope can have a server, which outlives a test. Only the report of a failed test that uses it has
    its log.
    """
    root = str(Path(sockservices.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        import socket
        import pytest

        @pytest.fixture(scope="module")
        def echo(sockservice_session):
            server = sockservice_session("echo")
            yield server
            server.stop()

        @pytest.mark.parametrize("number", range(3))
        def test_share(echo, number):
            with socket.create_connection(echo.address) as client:
                client.sendall(b"hello")
                assert client.recv(5) == b"hello"
            echo.wait(number + 1)
            assert len(echo.visits) == number + 1

        def test_fails(echo):
            assert False

        def test_failsWithoutServers():
            assert False
        """
    )
    result = pytester.runpytest_subprocess("-p", "sockservices.pytest_plugin", "-W", "error", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, failed=2)
    log = result.stdout.str()
    assert log.count("- sockservices log -") == 1
    assert log.count("echo listening on tcp:") == 1

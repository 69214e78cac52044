"""
The sessions that check the project. C{nox -l} lists them, C{nox -s NAME} runs one.

Arguments after C{--} are passed to the session's command.

Each session has an environment of its own. With C{--no-venv} a session uses the environment that nox runs in.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "docs", "tests"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]

PROJECT = nox.project.load_toml("pyproject.toml")["project"]

#: For instance C{twisted==24.10}.
OLDEST_TWISTED = [requirement.replace(">=", "==") for requirement in PROJECT["dependencies"]]

#: For instance C{ruff==0.17.5}.
RUFF = [requirement for requirement in PROJECT["optional-dependencies"]["dev"] if requirement.startswith("ruff")]

#: The tests that depend most on Twisted's own code.
TWISTED_TESTS = [
    "tests/unit/transports",
    "tests/unit/protocols",
    "tests/unit/server",
    "tests/integration/test_loopback.py",
]

#: One folder of each kind of test: in memory, with a reactor that the test runs, and with a reactor in a thread.
TRIAL_TESTS = ["tests/unit/protocols", "tests/unit/transports", "tests/unit/testing"]


def install(session: nox.Session, *requirements: str) -> None:
    """
    Install requirements, unless the session uses an environment that has them already.
    """
    if session.virtualenv.is_sandboxed:
        session.install(*requirements)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """
    The test suite, under each Python that is installed.
    """
    install(session, "-e", ".[test]")
    session.run("python", "-m", "pytest", "-q", "-n", "4", *session.posargs)


@nox.session
def system(session: nox.Session) -> None:
    """
    The tests with several processes, of a whole server, of the documents, of the pytest plugin, and of the tutorials'
    clients.
    """
    install(session, "-e", ".[test]")
    session.run("python", "-m", "pytest", "-q", "-n", "4", *(session.posargs or ["tests/integration", "tests/system"]))


@nox.session
@nox.parametrize("version", ["oldest", "newest"], ids=["oldest", "newest"])
def twisted(session: nox.Session, version: str) -> None:
    """
    The tests of transports, protocols and server, with the oldest and the newest Twisted that is supported.
    """
    session.install("-e", ".[test]", *(OLDEST_TWISTED if version == "oldest" else ["--upgrade", "twisted"]))
    # Features that Twisted's transports did not have in the oldest version.
    deselect = ["-k", "not (noDelay or returnsDeferred or TLS)"] if version == "oldest" else []
    session.run("python", "-m", "pytest", "-q", "-n", "4", *deselect, *(session.posargs or TWISTED_TESTS))


@nox.session
def lint(session: nox.Session) -> None:
    """
    Style and format.
    """
    install(session, *RUFF)
    session.run("python", "-m", "ruff", "check")
    session.run("python", "-m", "ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """
    Type annotations.
    """
    install(session, "-e", ".[dev]")
    session.run("python", "-m", "mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """
    The API reference, in build/api. A warning is an error.
    """
    install(session, "-e", ".[dev]")
    session.run("python", "docs/api.py", *session.posargs)


@nox.session
def trial(session: nox.Session) -> None:
    """
    Unit tests under Twisted's own test runner. C{tests} runs them all under pytest.
    """
    install(session, "-e", ".[test]")
    session.run("python", "-m", "twisted.trial", "--jobs", "2", *(session.posargs or TRIAL_TESTS))


@nox.session
def packaging(session: nox.Session) -> None:
    """
    Build, install, use and uninstall the distributions.
    """
    install(session, "-e", ".[dev]")
    session.run("python", "-m", "pytest", "-q", "-m", "packaging", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """
    Branch coverage of the test suite. It fails below the floor in pyproject.toml.
    """
    install(session, "-e", ".[dev]")
    session.run("python", "-m", "pytest", "-q", "-n", "4", "--cov", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """
    Break the source in known ways. Each break must fail the tests that are named for it.
    """
    install(session, "-e", ".[test]")
    session.run("python", "-m", "tests.mutants", *session.posargs)


@nox.session
def changelog(session: nox.Session) -> None:
    """
    Print the changelog of the next version, built from the fragments in changelog.d.
    """
    install(session, "towncrier>=24.8")
    session.run("towncrier", "build", "--draft", "--version", "next", *session.posargs)

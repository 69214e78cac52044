"""
The C{sockservices} command.
"""

from __future__ import annotations

import sys

from sockservices.cli.exit_status import INTERRUPTED, USAGE
from sockservices.cli.plain_help import CLIENT_COMMANDS, CLIENT_NAMES, INSTALL_CLI, PLAIN_HELP
from sockservices.cli.serve import serve

__all__ = ["main"]


def main() -> None:
    """
    Run C{serve}, which needs Twisted alone, or another command, which needs the packages of the extra C{cli}.
    """
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        return serve(arguments[1:])
    if arguments == ["--version"]:
        return serve(arguments)
    try:
        from sockservices.cli.commands import run
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except ModuleNotFoundError as error:
        missing, _, _ = (error.name or "").partition(".")
        if missing not in ("click", "rich"):
            raise
        raise SystemExit(_runWithout(missing, arguments)) from None
    raise SystemExit(run(arguments))


def _runWithout(missing: str, arguments: list[str]) -> int:
    """
    Print the help, or the package that a command needs.

    @return: the exit status.
    """
    if arguments in ([], ["-h"], ["--help"]):
        print(PLAIN_HELP)
        return 0
    if arguments[0] in CLIENT_COMMANDS:
        message = f"{arguments[0]} needs {missing}: {INSTALL_CLI}"
    else:
        message = f"{arguments[0]!r}: expected serve, or one of {CLIENT_NAMES}, which need {missing}"
    print(f"sockservices: {message}", file=sys.stderr)
    return USAGE


if __name__ == "__main__":
    main()

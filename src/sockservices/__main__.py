"""
The C{sockservices} command.
"""

from __future__ import annotations

import sys

from sockservices.cli.exit_status import INTERRUPTED, USAGE
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
        message = f"every command but serve needs {missing}: pip install 'sockservices[cli]'"
        print(f"sockservices: {message}", file=sys.stderr)
        raise SystemExit(USAGE) from None
    raise SystemExit(run(arguments))


if __name__ == "__main__":
    main()

"""
The C{sockservices} command.
"""

from __future__ import annotations

import sys

from sockservices.cli.serve import serve

__all__ = ["main"]

#: The exit status for what cannot be understood, or done here (sysexits.h).
USAGE = 64

#: That of a command that Ctrl-C has ended: 128 and the signal's number.
INTERRUPTED = 130


def main() -> None:
    """
    Serve, which needs Twisted alone; or do what else the command line asks for.
    """
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        return serve(arguments[1:])
    if arguments == ["--version"]:
        return serve(arguments)
    try:
        from sockservices.cli.group import run
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except ModuleNotFoundError as fault:
        missing, _, _ = (fault.name or "").partition(".")
        if missing not in ("click", "rich"):
            raise
        print(f"sockservices: all but serve needs {missing}: pip install 'sockservices[cli]'", file=sys.stderr)
        raise SystemExit(USAGE) from None
    raise SystemExit(run(arguments))


if __name__ == "__main__":
    main()

"""
The C{sockservices} command: C{sockservices serve} is C{twistd sockservices} without twistd's own words.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

USAGE = "usage: sockservices serve [options]; sockservices serve --help lists the options"


def main() -> None:
    """
    Serve in the foreground, without a pid file.
    """
    if len(sys.argv) < 2:
        raise SystemExit(f"sockservices: a command is wanted; {USAGE}")
    command, *arguments = sys.argv[1:]
    if command == "--version":
        arguments = ["--version"]
    elif command in ("--help", "-h"):
        print(USAGE)
        return
    elif command != "serve":
        raise SystemExit(f"sockservices: {command!r}: there is no such command; {USAGE}")

    from twisted.scripts.twistd import run

    sys.argv = ["sockservices serve", "--nodaemon", "--pidfile=", "sockservices", *arguments]
    run()


if __name__ == "__main__":
    main()

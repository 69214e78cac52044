"""
The help of the C{sockservices} command where the packages of the extra C{cli} are not installed, and how to install
them.
"""

from __future__ import annotations

__all__ = ["CLIENT_COMMANDS", "CLIENT_NAMES", "INSTALL_CLI", "PLAIN_HELP"]

#: The command of docs/installing.md: no version is on PyPI yet. A release changes both; a test compares them.
INSTALL_CLI = "pip install '.[cli]' in a checkout of sockservices"

#: The commands that need the packages.
CLIENT_COMMANDS = ("ask", "chat", "check", "ping", "probe", "record")

#: The same names in a sentence.
CLIENT_NAMES = f"{', '.join(CLIENT_COMMANDS[:-1])} and {CLIENT_COMMANDS[-1]}"

PLAIN_HELP = f"""\
Usage: sockservices COMMAND [ARGS]...

  The small services of every socket tutorial and every inetd: a server, and clients for it.

Commands:
  serve  Serve echo, upper, welcome and their family; serve --help lists its options.

  {CLIENT_NAMES} are clients for any server, and need click and rich, which are not installed:
  {INSTALL_CLI}

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit."""

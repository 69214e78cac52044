"""
The commands together: what they are called with, and how they end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click
from click.shell_completion import CompletionItem

from sockservices import __version__
from sockservices.cli.ask import ask
from sockservices.cli.chat import chat
from sockservices.cli.check import check
from sockservices.cli.ping import ping
from sockservices.cli.serve import serve
from sockservices.client import Unanswered, Verdict
from sockservices.server.options import Options

__all__ = ["commands", "run"]

#: The exit status of a command that Ctrl-C ended, and of one whose output nobody reads: 128 and the signal's number.
INTERRUPTED, UNREAD = 130, 141

#: That of one whose output cannot be written (sysexits.h).
UNWRITTEN = 74


class _Serve(click.Command):
    """
    The server: its options are those of twistd's plugin, which it parses by itself.
    """

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """
        The server's options.
        """
        options = [name for name in Options().longOpt if name.startswith(incomplete.lstrip("-"))]
        return [CompletionItem(f"--{name.rstrip('=')}") for name in options]


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sockservices %(version)s")
def commands() -> None:
    """
    The small services of every socket tutorial and every inetd: a server, and the other end.
    """


@commands.command(
    "serve",
    cls=_Serve,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="Serve echo, upper, welcome and their family.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def _serve(options: tuple[str, ...]) -> None:
    serve(list(options))


for command in (ask, chat, check, ping):
    commands.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """
    Do what a command line asks for. What goes wrong is one line.

    @return: the exit status.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Closed by who started us.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if isinstance(sys.stdout, TextIOWrapper):
        # No word of a peer, or of ours, that this terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = commands.main(list(arguments), "sockservices", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as fault:
        context = getattr(fault, "ctx", None)
        name = context.command_path if context is not None else "sockservices"
        text = " ".join(fault.format_message().split()).rstrip(".")
        print(f"{name}: {text}; {name} --help tells more", file=sys.stderr)
        return Verdict.USAGE.status
    except Unanswered as fault:
        print(f"sockservices: {fault}", file=sys.stderr)
        return fault.verdict.status
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (OSError, SystemExit) as ended:
        # Nobody reads what we print; click then exits by itself, and with 1. It exits too when a shell has asked it.
        if isinstance(ended, SystemExit) and ended.code != 1:
            raise
        # Or Python would try again to print the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(ended, (BrokenPipeError, SystemExit)):
            return UNREAD
        print(f"sockservices: {ended}", file=sys.stderr)
        return UNWRITTEN
    return status or 0

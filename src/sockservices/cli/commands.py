"""
The C{sockservices} command group: its subcommands, its error messages and its exit statuses.
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
from sockservices.cli.completion import completeServeValue
from sockservices.cli.errors import usageMessage
from sockservices.cli.exit_status import INTERRUPTED, OUTPUT_CLOSED, OUTPUT_FAILED, USAGE, exitStatus
from sockservices.cli.ping import ping
from sockservices.cli.probe import probe
from sockservices.cli.record import record
from sockservices.cli.serve import serve
from sockservices.client import RequestFailed
from sockservices.server.serve_options import ServeOptions

__all__ = ["commands", "run"]


class _Serve(click.Command):
    """
    The C{serve} command. The twistd plugin parses its options.
    """

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        options = [name for name in ServeOptions().longOpt if name.startswith(incomplete.lstrip("-"))]
        return [CompletionItem(f"--{name.rstrip('=')}") for name in options]


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sockservices %(version)s")
def commands() -> None:
    """
    The small services of every socket tutorial and every inetd: a server, and clients for it.
    """


@commands.command(
    "serve",
    cls=_Serve,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="Serve echo, upper, welcome and their family.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, shell_complete=completeServeValue)
def _serve(options: tuple[str, ...]) -> None:
    serve(list(options))


for command in (ask, chat, check, ping, probe, record):
    commands.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """
    Run a command line; an empty one prints the help. Print each error as one line on standard error.

    @return: the exit status.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The parent process has closed the descriptor.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if isinstance(sys.stdout, TextIOWrapper):
        # A peer may send characters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = commands.main(list(arguments) or ["--help"], "sockservices", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        # The parser of a command raises some errors without the context of the command.
        named = [command for command in arguments[:1] if command in commands.commands]
        name = context.command_path if context is not None else " ".join(["sockservices", *named])
        print(f"{name}: {usageMessage(error)}; see {name} --help", file=sys.stderr)
        return USAGE
    except RequestFailed as failure:
        print(f"sockservices: {failure}", file=sys.stderr)
        return exitStatus(failure.verdict)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (OSError, SystemExit) as error:
        # click turns EPIPE into SystemExit(1). Shell completion ends with SystemExit too, but with status 0.
        if isinstance(error, SystemExit) and error.code != 1:
            raise
        # Python flushes standard output at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, (BrokenPipeError, SystemExit)):
            return OUTPUT_CLOSED
        print(f"sockservices: {error}", file=sys.stderr)
        return OUTPUT_FAILED
    return status or 0

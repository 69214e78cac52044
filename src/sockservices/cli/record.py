"""
C{sockservices record}: a conversation of a real server as a script.
"""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import click

from sockservices.cli.completion import completeUrl
from sockservices.cli.errors import addTarget
from sockservices.cli.parameters import Parsed, secondsOption
from sockservices.cli.reactor import backgroundReactor
from sockservices.cli.relay import DatagramRelay, Relay, StreamRelay
from sockservices.cli.tls_target import RecordableTarget, recordableTarget
from sockservices.scripting.script_file import SUFFIX
from sockservices.text.addresses import addressText
from sockservices.text.values import quoted
from sockservices.transports.binding_strings import parse
from sockservices.transports.bindings import Binding
from sockservices.transports.sockets import OpenError

__all__ = ["record"]

EXPECTED_BINDING = "expected tcp:PORT, udp:PORT, unix:PATH or unixgram:PATH"


def _parseListen(text: str) -> Binding:
    try:
        binding = parse(text)
    except ValueError as error:
        raise ValueError(f"{quoted(text)}: {error}") from None
    if binding is None or binding.transport is None or binding.proxyHeader:
        raise ValueError(f"{quoted(text)}: {EXPECTED_BINDING}")
    return binding


@click.command(short_help="Record a conversation with a server as a script.")
@click.argument("url", type=Parsed(recordableTarget, completeUrl))
@click.option(
    "--listen",
    type=Parsed(_parseListen),
    metavar="ENDPOINT",
    help="Where the client connects: tcp:PORT, udp:PORT, unix:PATH or unixgram:PATH. [default: tcp:0 or udp:0]",
)
@click.option("--output", required=True, metavar="PATH.toml", help="The script to write.")
@click.option("--timing", is_flag=True, help="Keep the times: the script waits as long as the server did.")
@secondsOption("--timeout", 60.0, "Time without a byte or a datagram after which the recording ends.")
def record(url: RecordableTarget, listen: Binding | None, output: str, timing: bool, timeout: float) -> None:
    """
    Stand between one client and a server, pass everything on, and write a script that replays the server's side.

    URL is tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH. The recording ends with
    the connection, or at Ctrl-C or SIGTERM. On datagrams, it ends at Ctrl-C, at SIGTERM or after --timeout.
    """
    if not output.endswith(SUFFIX) or not Path(output).parent.is_dir():
        raise click.UsageError(f"--output {quoted(output)}: expected a file that ends with {SUFFIX}, in a directory")
    binding = listen or _parseListen("tcp:0" if url.stream else "udp:0")
    if binding.stream is not url.stream:
        kind = "tcp:PORT or unix:PATH" if url.stream else "udp:PORT or unixgram:PATH"
        raise click.UsageError(f"--listen {binding}: expected {kind} for {url}")
    # A SimpleQueue, because an Event may deadlock in a signal handler.
    ended = SimpleQueue[None]()

    async def start() -> Relay:
        kind: Any = StreamRelay if url.stream else DatagramRelay
        relay: Relay = kind(background.reactor, url, timeout, partial(ended.put, None), timing)
        await relay.listen(binding)
        return relay

    with backgroundReactor() as background:
        try:
            relay: Relay = background.call(start, timeout=None)
        except OpenError as error:
            raise click.UsageError(f"--listen {error}") from None
        except ImportError:
            raise click.UsageError(f"{url}: expected pyOpenSSL and service-identity to be installed") from None
        # They stay until the process ends, so that a second signal does not interrupt the writing of the script.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.put(None))
        address: Any = relay.port.getHost()
        click.echo(f"recording {url} on {binding.transport}:{addressText(address)}")
        ended.get()
        background.call(relay.stop)
    _write(relay, url, output)


def _write(relay: Relay, url: RecordableTarget, output: str) -> None:
    """
    Write the script.
    """
    if relay.error is not None:
        with addTarget(url):
            raise relay.error
    script = relay.recording.toToml()
    if not script:
        raise OSError(f"{output}: not written: no byte and no FIN has passed")
    omitted = relay.recording.omitted
    note = f"# {omitted} more bytes were not recorded.\n" if omitted else ""
    # TOML is UTF-8, whatever the locale.
    Path(output).write_text(f"# Recorded from {url}\n{note}\n{script.rstrip()}\n", "utf-8")
    click.echo(f"wrote {output}" + (f"; {omitted} bytes were not recorded" if omitted else ""))

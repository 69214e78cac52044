"""
C{sockservices ask}: one question, one answer.
"""

from __future__ import annotations

import os
import sys
from contextlib import aclosing
from typing import Any

import click
from twisted.internet.defer import Deferred

from sockservices.cli.parameters import TARGET, timeout
from sockservices.cli.running import run
from sockservices.cli.words import Output, about
from sockservices.client import Target, Unanswered, askDatagram, exchange
from sockservices.client.within import within

__all__ = ["ask"]


@click.command(short_help="Ask a service one thing, and print its answer.")
@click.argument("url", type=TARGET)
@click.argument("message", required=False)
@click.option("--hex", "octets", metavar="BYTES", help="The message in hexadecimal, such as 31 or '31 0d 0a'.")
@click.option("--expect", metavar="TEXT", help="The answer that is right; any other is short or corrupt.")
@timeout(10.0, "How long all of it may take, once the standard input has been read.")
def ask(url: Target, message: str | None, octets: str | None, expect: str | None, timeout: float) -> None:
    """
    Send a message, and print the answer as it comes.

    URL is tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH. Without MESSAGE and --hex, the standard
    input is sent; at a terminal, nothing. On a stream our side is ended after the message, and the answer is read to
    its end; a datagram has one reply.

    The exit status is the verdict: ok 0, refused 10, reset 11, timeout 12, eof (an end before any byte of the answer)
    13, short (an end with a part of it) 14, corrupt 15, wrong-source 16, unreachable 17, dns 18, usage 64.
    """
    said = _message(message, octets)
    expected = None if expect is None else os.fsencode(expect)
    output = Output()

    async def answered(reactor: Any) -> None:
        if not url.stream:
            try:
                output.say(await askDatagram(url.address, said, reactor=reactor, timeout=timeout, expect=expected))
            except Unanswered as fault:
                output.say(fault.answer)
                raise
            return
        async with aclosing(exchange(url.endpoint(reactor), said, reactor=reactor, expect=expected)) as segments:
            async for segment in segments:
                output.say(segment)

    def all_(reactor: Any) -> Deferred[None]:
        return within(Deferred.fromCoroutine(answered(reactor)), timeout, reactor, "no end of an answer")

    try:
        with about(url):
            run(all_, timeout)
    finally:
        if sys.stdout.isatty():
            output.endLine()


def _message(message: str | None, octets: str | None) -> bytes:
    if octets is not None:
        if message is not None:
            raise click.UsageError("MESSAGE and --hex: one of them is wanted")
        try:
            return bytes.fromhex(octets)
        except ValueError:
            raise click.BadParameter(
                f"{octets!r}: two digits a byte are wanted, such as 31", param_hint="--hex"
            ) from None
    if message is not None:
        return os.fsencode(message)
    return b"" if sys.stdin.isatty() else sys.stdin.buffer.read()

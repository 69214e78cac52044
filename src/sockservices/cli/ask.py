"""
C{sockservices ask}: one request and its answer.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64encode
from contextlib import aclosing

import click
from twisted.internet.interfaces import IReactorTime

from sockservices import client
from sockservices.cli.errors import addTarget
from sockservices.cli.json_output import describeVerdict
from sockservices.cli.output import Output
from sockservices.cli.parameters import TARGET, Parsed, secondsOption
from sockservices.cli.reactor import runInReactor
from sockservices.client import RequestFailed, Target, askDatagram, exchange
from sockservices.text.values import quoted

__all__ = ["ask"]


def _parseHex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{quoted(text)}: expected two hexadecimal digits for each byte, such as 31") from None


@click.command(short_help="Send one message to a service, and print the answer.")
@click.argument("url", type=TARGET)
@click.argument("message", required=False)
@click.option(
    "--hex",
    "octets",
    type=Parsed(_parseHex),
    metavar="BYTES",
    help="The message in hexadecimal, such as 31 or '31 0d 0a'.",
)
@click.option("--expect", metavar="TEXT", help="The expected answer; any other is short or corrupt.")
@click.option("--json", "asJson", is_flag=True, help="Print one JSON object: verdict, time, and answer.")
@secondsOption("--timeout", 10.0, "Time limit for the whole request, after standard input has been read.")
def ask(
    url: Target, message: str | None, octets: bytes | None, expect: str | None, asJson: bool, timeout: float
) -> None:
    """
    Send a message, and print the answer as it arrives.

    URL is tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH. Without MESSAGE and --hex, send standard
    input, or an empty message if standard input is a terminal. On a stream, send a FIN after the message, and read the
    answer until the peer's FIN. A datagram gets one reply.

    The exit status is the verdict: ok 0, refused 10, reset 11, timeout 12, eof (closed before the first byte of the
    answer) 13, short (closed after part of the answer) 14, corrupt 15, wrong-source 16, unreachable 17, dns 18,
    usage 64.

    A silent stream: no-connection 19, no-answer (connected) 20, incomplete (no end) 21.
    """
    request = _message(message, octets)
    expected = None if expect is None else os.fsencode(expect)
    if asJson:
        _printAnswerAsJson(url, request, expected, timeout)
    else:
        _printAnswer(url, request, expected, timeout)


def _printAnswer(url: Target, request: bytes, expected: bytes | None, timeout: float) -> None:
    output = Output()

    async def printAnswer(reactor: IReactorTime) -> None:
        if not url.stream:
            try:
                reply = await askDatagram(url.address, request, reactor=reactor, timeout=timeout, expect=expected)
            except RequestFailed as failure:
                output.writeData(failure.answer)
                raise
            output.writeData(reply)
            return
        endpoint = url.endpoint(reactor)
        exchanged = exchange(endpoint, request, reactor=reactor, expect=expected, timeout=timeout)
        async with aclosing(exchanged) as segments:
            async for segment in segments:
                output.writeData(segment)

    try:
        with addTarget(url):
            runInReactor(printAnswer, timeout)
    finally:
        if sys.stdout.isatty():
            output.endLine()


def _printAnswerAsJson(url: Target, request: bytes, expected: bytes | None, timeout: float) -> None:
    async def collect(reactor: IReactorTime) -> tuple[bytes, float, RequestFailed | None]:
        startedAt = reactor.seconds()
        failure = None
        try:
            if url.stream:
                endpoint = url.endpoint(reactor)
                answer = await client.ask(endpoint, request, reactor=reactor, expect=expected, timeout=timeout)
            else:
                answer = await askDatagram(url.address, request, reactor=reactor, expect=expected, timeout=timeout)
        except RequestFailed as error:
            answer, failure = error.answer, error
        return answer, reactor.seconds() - startedAt, failure

    answer, seconds, failure = runInReactor(collect, timeout)
    result = {
        **describeVerdict(url, failure),
        "seconds": round(seconds, 6),
        "bytes": len(answer),
        "text": answer.decode("utf-8", "backslashreplace"),
        "base64": b64encode(answer).decode("ascii"),
    }
    click.echo(json.dumps(result))
    if failure is not None:
        with addTarget(url):
            raise failure


def _message(message: str | None, octets: bytes | None) -> bytes:
    if message is not None and octets is not None:
        raise click.UsageError("MESSAGE and --hex: expected one of them, got both", click.get_current_context())
    if octets is not None:
        return octets
    if message is not None:
        return os.fsencode(message)
    return b"" if sys.stdin.isatty() else sys.stdin.buffer.read()

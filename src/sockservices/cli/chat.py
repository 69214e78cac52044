"""
C{sockservices chat}: a conversation with a service, line by line.
"""

from __future__ import annotations

from threading import Event

import click
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from sockservices.cli.errors import addTarget
from sockservices.cli.exit_status import exitStatus
from sockservices.cli.parameters import TARGET, secondsOption
from sockservices.cli.prompt import PROMPT, Prompt
from sockservices.cli.reactor import backgroundReactor
from sockservices.cli.terminal_mode import keepEndOfFile
from sockservices.client import ClientProtocol, DatagramClient, RequestFailed, Target, Verdict, connect
from sockservices.client.timeout import withTimeout
from sockservices.testing.background_reactor import BackgroundReactor

__all__ = ["chat"]


@click.command(short_help="Send lines to a service, and print the answers.")
@click.argument("url", type=TARGET)
@secondsOption(
    "--wait", 1.0, "Time to wait for the answer to a line before reading the next. Later answers are printed too."
)
@click.option("--prompt", metavar="TEXT", default=PROMPT, show_default=True, help="The prompt at a terminal.")
@click.option(
    "--show-bytes",
    "showBytes",
    is_flag=True,
    help="Print a row for each segment instead of its data: seconds, direction, length, and bytes.",
)
@secondsOption(
    "--timeout", 10.0, "Time to wait for a connection, for the peer to read, and after the last line for its FIN."
)
def chat(url: Target, wait: float, prompt: str, showBytes: bool, timeout: float) -> int:
    """
    Read lines, send each without its line end and surrounding blanks, and print the answers. Skip empty lines.

    URL is tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH. Ctrl-D sends a FIN and waits for the
    peer's; Ctrl-C closes at once. Lines may come from a pipe. The last message gives the reason: FIN, RST, or timeout.

    The exit status is the verdict, as that of ask. It is ok 0 if the peer has answered, or if no line was sent.
    """
    with keepEndOfFile() as typedLines, backgroundReactor() as background:
        return exitStatus(_Chat(background, url, wait, timeout, Prompt(prompt, typedLines), showBytes).run())


class _Chat:
    """
    Sends lines from the main thread, and receives in the reactor's thread.
    """

    _verdict = Verdict.OK
    _lineSent = _answered = _finSent = False
    _error: BaseException | None = None
    _client: ClientProtocol | DatagramClient | None = None

    def __init__(
        self, background: BackgroundReactor, url: Target, wait: float, timeout: float, prompt: Prompt, showBytes: bool
    ) -> None:
        self._background = background
        self._url = url
        self._wait = wait
        self._timeout = timeout
        self._prompt = prompt
        self._showBytes = showBytes
        self._printed = Event()
        self._ended = Event()

    def run(self) -> Verdict:
        try:
            self._sendLines(self._background.call(self._open, timeout=None))
        except KeyboardInterrupt:
            # Ctrl-C, or Prompt.close() after the peer's end.
            if self._client is None:
                raise
            if not self._ended.is_set():
                self._prompt.printMessage("")
        finally:
            # Not with call(): the reactor's thread may hang in a write to a pipe that nobody reads. The end of the
            # command waits for the thread.
            self._background.reactor.callFromThread(self._close, self._client)
        if self._error is not None:
            raise self._error
        return self._verdict

    def _close(self, client: ClientProtocol | DatagramClient | None) -> None:
        if client is None:
            return
        self._receiving.cancel()
        if isinstance(client, ClientProtocol):
            client.abort()
        else:
            client.close()

    async def _open(self) -> ClientProtocol | DatagramClient:
        reactor = self._background.reactor
        client: ClientProtocol | DatagramClient
        with addTarget(self._url):
            if self._url.stream:
                client = await connect(self._url.endpoint(reactor), reactor=reactor, timeout=self._timeout)
            else:
                client = DatagramClient(self._url.address, reactor=reactor)
                await client.open(self._timeout)
        self._openedAt = reactor.seconds()
        if isinstance(client, ClientProtocol):
            receiving = self._receiveStream(client)
        else:
            receiving = self._receiveDatagrams(client)
        self._client = client
        self._receiving = Deferred.fromCoroutine(receiving).addErrback(self._receivingFailed)
        return client

    def _receivingFailed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            # Such as a BrokenPipeError from standard output.
            self._error = failure.value
            self._end("")

    async def _receiveStream(self, connection: ClientProtocol) -> None:
        """
        Print the peer's data until its FIN.
        """
        end = "FIN"
        try:
            async for segment in connection:
                self._print(segment)
            message = "the peer closed the connection"
            if not self._finSent:
                self._verdict = Verdict.OK if self._answered else Verdict.EOF
            elif self._lineSent and not self._answered:
                self._verdict, message = Verdict.EOF, "eof: the peer closed without an answer"
            elif not self._prompt.terminal:
                # The user ended the chat: print no message in scripts.
                message = ""
        except RequestFailed as failure:
            self._verdict, message = failure.verdict, str(failure)
            end = "RST" if failure.verdict is Verdict.RESET else failure.verdict.value
        self._printRow("<-", end)
        self._end(f"{message} ({end})" if message else "")

    async def _receiveDatagrams(self, client: DatagramClient) -> None:
        """
        Print the peer's datagrams. Go on after a refusal: the service may start again.
        """
        while True:
            try:
                self._print(await client.receive())
                self._verdict = Verdict.OK
            except RequestFailed as failure:
                self._verdict = failure.verdict
                self._prompt.printMessage(str(failure))
                self._printed.set()

    def _end(self, message: str) -> None:
        self._ended.set()
        self._printed.set()
        self._prompt.close(message)

    def _print(self, data: bytes) -> None:
        self._answered = True
        if self._showBytes:
            self._printRow("<-", data)
        else:
            self._prompt.printData(data, complete=not self._url.stream)
        self._printed.set()

    def _printRow(self, direction: str, event: bytes | str) -> None:
        """
        With C{--show-bytes}, print a row for a segment, for a datagram, or for the end of the connection.
        """
        if self._showBytes:
            time = f"{self._background.reactor.seconds() - self._openedAt:.6f} s"
            length = [] if isinstance(event, str) else [f"{len(event)} byte{'s' * (len(event) != 1)}"]
            text = event if isinstance(event, str) else repr(event)
            self._prompt.printRow("\t".join([time, direction, *length, text]))

    def _sendLines(self, client: ClientProtocol | DatagramClient) -> None:
        while not self._ended.is_set():
            line = self._prompt.readLine()
            if line is None:
                break
            if line:
                self._lineSent = True
                self._printed.clear()
                self._send(client, line)
                self._printed.wait(self._wait)
        if isinstance(client, ClientProtocol) and not self._ended.is_set():
            self._finSent = True
            self._printRow("->", "FIN")
            self._background.call(client.finish)
            if not self._ended.wait(self._timeout):
                self._verdict = Verdict.INCOMPLETE if self._answered else Verdict.NO_ANSWER
                silence = "the peer sent no FIN" if self._answered else "connected, but no byte, and no FIN"
                self._prompt.printMessage(f"{self._verdict.value}: {silence} within {self._timeout:g} s (timeout)")
        elif self._lineSent and not self._answered and self._verdict is Verdict.OK:
            source = getattr(client, "lastWrongSource", "")
            self._verdict = Verdict.WRONG_SOURCE if source else Verdict.TIMEOUT
            self._prompt.printMessage(f"wrong-source: a reply came from {source}" if source else "timeout: no reply")

    def _send(self, client: ClientProtocol | DatagramClient, line: bytes) -> None:
        """
        Send a line. A lost connection is reported by L{_receiveStream}, everything else here.
        """
        self._printRow("->", line)
        try:
            self._background.call(self._sendInReactor, client, line, timeout=None)
        except RequestFailed as failure:
            if not self._url.stream:
                self._verdict = failure.verdict
                self._prompt.printMessage(str(failure))
            elif failure.verdict is Verdict.TIMEOUT:
                with addTarget(self._url):
                    raise

    def _sendInReactor(self, client: ClientProtocol | DatagramClient, line: bytes) -> Deferred[None] | None:
        if isinstance(client, ClientProtocol):
            return withTimeout(client.send(line), self._timeout, self._background.reactor, "the peer did not read")
        client.send(line)
        return None

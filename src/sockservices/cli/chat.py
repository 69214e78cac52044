"""
C{sockservices chat}: the tutorials' loop, line by line.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Event

import click
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from sockservices.cli.parameters import SECONDS, TARGET, timeout
from sockservices.cli.prompt import Prompt
from sockservices.cli.running import LIMIT, background
from sockservices.cli.words import about
from sockservices.client import ClientProtocol, DatagramClient, Target, Unanswered, Verdict, connect
from sockservices.client.within import within
from sockservices.testing.background_reactor import BackgroundReactor

__all__ = ["chat"]


@click.command(short_help="Talk to a service, line by line.")
@click.argument("url", type=TARGET)
@click.option(
    "--wait",
    type=SECONDS,
    metavar="SECONDS",
    default=1.0,
    show_default=True,
    help="How long to wait for the answer to a line before the next is read; what comes later is shown as well.",
)
@timeout(10.0, "How long to wait for a connection, for room to send, and after the last line for the peer's end.")
def chat(url: Target, wait: float, timeout: float) -> int:
    """
    Read lines, send each without its line end and the blanks around it, and print what comes back. Empty lines are
    skipped.

    URL is tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH. Ctrl-D ends our side, Ctrl-C all at once.
    Lines may be piped in, too.

    The exit status is the verdict, as that of ask: ok 0 when the peer has said something, or we end without asking.
    """
    with background() as running:
        return _Chat(running, url, wait, timeout).run().status


class _Chat:
    """
    A conversation in the reactor's thread, and a terminal in this one.
    """

    _verdict = Verdict.OK
    _asked = _heard = _finished = False
    _fault: BaseException | None = None
    _peer: ClientProtocol | DatagramClient | None = None

    def __init__(self, running: BackgroundReactor, url: Target, wait: float, timeout: float) -> None:
        self._running = running
        self._url = url
        self._wait = wait
        self._timeout = timeout
        self._prompt = Prompt()
        self._news = Event()
        self._over = Event()

    def run(self) -> Verdict:
        """
        Talk until one side ends.
        """
        try:
            self._talk(self._running.call(self._open, limit=None))
        except KeyboardInterrupt:
            # From the user, or because the peer has ended.
            if self._peer is None:
                raise
            if not self._over.is_set():
                self._prompt.show("")
        finally:
            # Its thread may be stuck, printing what nobody reads.
            with suppress(TimeoutError):
                self._running.call(self._close, self._peer, limit=LIMIT)
        if self._fault is not None:
            raise self._fault
        return self._verdict

    def _close(self, peer: ClientProtocol | DatagramClient | None) -> Deferred[None] | None:
        if peer is None:
            return None
        self._hearing.cancel()
        if isinstance(peer, ClientProtocol):
            return peer.abort()
        peer.close()
        return None

    async def _open(self) -> ClientProtocol | DatagramClient:
        reactor = self._running.reactor
        peer: ClientProtocol | DatagramClient
        with about(self._url):
            if self._url.stream:
                peer = await connect(self._url.endpoint(reactor), reactor=reactor, timeout=self._timeout)
            else:
                peer = DatagramClient(self._url.address, reactor=reactor)
                try:
                    await peer.open()
                except BaseException:
                    peer.close()
                    raise
        hears = self._hears(peer) if isinstance(peer, ClientProtocol) else self._replies(peer)
        self._peer = peer
        self._hearing = Deferred.fromCoroutine(hears).addErrback(self._failed)
        return peer

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            # Such as that nobody reads what we print.
            self._fault = failure.value
            self._end("")

    async def _hears(self, peer: ClientProtocol) -> None:
        """
        What a stream says, to its end.
        """
        remark = ""
        try:
            async for segment in peer:
                self._told(segment)
            if not self._finished:
                remark = "the peer has ended the conversation"
                self._verdict = Verdict.OK if self._heard else Verdict.EOF
            elif self._asked and not self._heard:
                self._verdict, remark = Verdict.EOF, "eof: the peer has ended without an answer"
        except Unanswered as fault:
            self._verdict, remark = fault.verdict, f"{fault}"
        self._end(remark)

    def _end(self, remark: str) -> None:
        self._over.set()
        self._news.set()
        self._prompt.close(remark)

    async def _replies(self, peer: DatagramClient) -> None:
        """
        What comes by datagrams. A refusal is no end: the service may come up again.
        """
        while True:
            try:
                self._told(await peer.receive())
                self._verdict = Verdict.OK
            except Unanswered as fault:
                self._verdict = fault.verdict
                self._prompt.show(f"{fault}")
                self._news.set()

    def _told(self, said: bytes) -> None:
        self._heard = True
        self._prompt.tell(said, whole=not self._url.stream)
        self._news.set()

    def _talk(self, peer: ClientProtocol | DatagramClient) -> None:
        while not self._over.is_set():
            line = self._prompt.read()
            if line is None:
                break
            if line:
                self._asked = True
                self._news.clear()
                self._send(peer, line)
                self._news.wait(self._wait)
        if isinstance(peer, ClientProtocol) and not self._over.is_set():
            self._finished = True
            self._running.call(peer.finish)
            if not self._over.wait(self._timeout):
                self._verdict = Verdict.TIMEOUT
                self._prompt.show(f"timeout: the peer has not ended within {self._timeout:g} s")
        elif self._asked and not self._heard and self._verdict is Verdict.OK:
            stray = getattr(peer, "stray", "")
            self._verdict = Verdict.WRONG_SOURCE if stray else Verdict.TIMEOUT
            self._prompt.show(f"wrong-source: a reply came from {stray}" if stray else "timeout: no reply")

    def _send(self, peer: ClientProtocol | DatagramClient, line: bytes) -> None:
        """
        Send a line. What goes wrong is told by the side that hears, or here.
        """
        try:
            self._running.call(self._sent, peer, line, limit=None)
        except Unanswered as fault:
            if not self._url.stream:
                self._verdict = fault.verdict
                self._prompt.show(f"{fault}")
            elif fault.verdict is Verdict.TIMEOUT:
                with about(self._url):
                    raise

    async def _sent(self, peer: ClientProtocol | DatagramClient, line: bytes) -> None:
        if isinstance(peer, ClientProtocol):
            await within(peer.send(line), self._timeout, self._running.reactor, "nothing is read")
        else:
            peer.send(line)

"""
Stands between one client and a server, and records what passes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.protocol import DatagramProtocol

from sockservices.cli.tls_target import RecordableTarget, TlsTarget
from sockservices.client import DatagramClient, RequestFailed, Target, Verdict, connect
from sockservices.conversation.policy import Policy
from sockservices.conversation.visit import Visit
from sockservices.scripting.recording import DatagramRecording, Recording, StreamRecording
from sockservices.scripting.remote_peer import RemotePeer
from sockservices.server.services import streamService
from sockservices.transports.bindings import Binding
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint

__all__ = ["DatagramRelay", "Relay", "StreamRelay"]


class Relay:
    """
    Passes everything on between one client and a server.

    @ivar recording: what has passed.
    @ivar error: why the server could not be reached.
    @ivar port: the C{IListeningPort} for the client.
    """

    recording: Recording
    error: RequestFailed | None = None
    port: Any

    def __init__(self, reactor: Any, timeout: float, onEnd: Callable[[], object]) -> None:
        """
        @param timeout: seconds without a byte or a datagram after which the relay ends.
        @param onEnd: called when the conversation has ended.
        """
        self._reactor = reactor
        self._timeout = timeout
        self._onEnd = onEnd
        self._idle = reactor.callLater(timeout, onEnd)

    def _record(self, key: str, data: bytes | None = None) -> None:
        if self._idle.active():
            self._idle.reset(self._timeout)
        self.recording.add(key, data)

    async def listen(self, binding: Binding) -> None:
        """
        Wait for the client at an address.
        """
        raise NotImplementedError

    async def stop(self) -> None:
        """
        Stop listening, and close what is open.
        """
        if self._idle.active():
            self._idle.cancel()


class StreamRelay(Relay):
    """
    A relay of one connection. The half-close of each side and the reset of each side are passed on. Over TLS, the
    half-close of the client is not, and a reset of the server after its first byte is passed on as a FIN.
    """

    _answered = False  # whether a byte of the server has come
    _ended = False

    def __init__(
        self, reactor: Any, target: RecordableTarget, timeout: float, onEnd: Callable[[], object], timing: bool
    ) -> None:
        """
        @raise ImportError: if pyOpenSSL, which TLS needs, is not installed.
        """
        self._endpoint = target.endpoint(reactor)
        self._overTls = isinstance(target, TlsTarget)
        super().__init__(reactor, timeout, onEnd)
        self.recording = StreamRecording(reactor.seconds, timing)

    async def listen(self, binding: Binding) -> None:
        """
        Wait for the client. Further clients are refused.
        """
        policy = Policy(maxConnections=1, idleTimeout=0, stallTimeout=0, drain=0)
        endpoint = StreamEndpoint(self._reactor, binding)
        self._service = streamService(endpoint, self._relay, reactor=self._reactor, policy=policy, record=self._visited)
        self._service.startService()
        self.port = self._service.port

    async def stop(self) -> None:
        """
        Stop listening, and reset what is open.
        """
        await super().stop()
        await self._service.stopService()

    def _visited(self, visit: Visit) -> None:
        # The visit of a client that was refused changes nothing.
        if self._ended:
            self._onEnd()

    async def _relay(self, client: RemotePeer) -> None:
        directions = []
        server = None
        try:
            server = await connect(self._endpoint, reactor=self._reactor)
            directions = [
                Deferred.fromCoroutine(self._pass(client, server, "expect", "expect-end")),
                Deferred.fromCoroutine(self._pass(server, client, "send", "finish")),
            ]
            await gatherResults(directions, consumeErrors=True)
        except RequestFailed as error:
            self.error = error
            client.abort()
        except FirstError as error:
            error.subFailure.trap(RequestFailed)
            failed: Any = error.subFailure.value
            if failed.verdict is Verdict.UNREACHABLE and not self._answered:
                # The TLS handshake, which begins after the connection, has failed.
                self.error = failed
            else:
                self._record("reset")
            client.abort()
        finally:
            self._ended = True
            for each in directions:
                each.cancel()
            if server is not None:
                # After both FINs this changes nothing.
                server.abort()

    async def _pass(self, source: Any, sink: Any, data: str, end: str) -> None:
        while segment := await self._receive(source):
            self._answered = self._answered or data == "send"
            self._record(data, segment)
            await sink.send(segment)
        self._record(end)
        sink.finish()

    async def _receive(self, source: Any) -> bytes:
        try:
            segment: bytes = await source.receive()
        except RequestFailed:
            # Many servers end TLS without a close_notify, which Twisted reports as it reports a reset.
            if not (self._overTls and self._answered):
                raise
            segment = b""
        return segment


class DatagramRelay(Relay, DatagramProtocol):
    """
    A relay of the datagrams of one client: the first that sends one.
    """

    _client: Any = None
    _receiving: Deferred[None]

    def __init__(self, reactor: Any, target: Target, timeout: float, onEnd: Callable[[], object], timing: bool) -> None:
        super().__init__(reactor, timeout, onEnd)
        self.recording = DatagramRecording(reactor.seconds, timing)
        self._server = DatagramClient(target.address, reactor=reactor)

    async def listen(self, binding: Binding) -> None:
        """
        Open the socket to the server, and wait for the client.
        """
        await self._server.open(self._timeout)
        self.port = await DatagramEndpoint(self._reactor, binding).listen(self)
        self._receiving = Deferred.fromCoroutine(self._receive())
        self._receiving.addErrback(lambda _: None)

    async def stop(self) -> None:
        """
        Close the sockets.
        """
        await super().stop()
        self._receiving.cancel()
        self._server.close()
        await self.port.stopListening()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Pass a datagram of the client on.
        """
        self._client = self._client or addr
        if addr == self._client:
            self._record("expect", datagram)
            with suppress(RequestFailed):
                self._server.send(datagram)

    async def _receive(self) -> None:
        while True:
            # A refusal is an ICMP error for an earlier datagram. The server may start again.
            with suppress(RequestFailed, OSError):
                datagram = await self._server.receive()
                self._record("send", datagram)
                self.port.write(datagram, self._client)

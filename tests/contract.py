"""
What every service promises, whoever wrote it: the tests that run over all of the registry.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from doctest import DocTestFinder, DocTestRunner
from itertools import combinations, islice, pairwise, zip_longest
from random import Random
from typing import Any, ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Responder, World
from sockservices.registry import find, names
from sockservices.responder import MakeResponder

__all__ = ["NOW", "Contract", "contracts", "conversation", "cuttings", "reply", "speech"]

#: 2026-11-21 00:26:40 UTC.
NOW = 1795220800.0

#: Each test is shared by the cases of all services: that is what is meant here.
ANYTHING = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.differing_executors])


def conversation(transport: str = "tcp", limit: int | None = None, **world: Any) -> Conversation:
    """
    A conversation in a world where nothing is left to chance.

    @param world: what of L{World} shall be otherwise.
    """
    known = {"server": "here", "now": lambda: NOW, "random": Random(7), "users": lambda: ["ada", "grace"]}
    peer, host = IPv4Address("TCP", "192.0.2.7", 40000), IPv4Address("TCP", "192.0.2.1", 8007)
    return Conversation(transport, peer, host, 7, limit, World(**{**known, **world}))


def speech(make: MakeResponder, segments: Iterable[bytes]) -> Iterator[bytes]:
    """
    What is said on a stream, word by word, to a peer that sends these segments and ends. Endless talk is cut short.
    """
    responder = make(conversation())
    yield responder.opening() or b""
    talk = None if responder.finished else responder.talk()
    if talk is not None:
        yield from islice(talk, 3)
        return
    heard = False
    for segment in segments:
        if responder.finished:
            return
        heard = True
        yield responder.answer(segment) or b""
    if responder.deadline is not None and not heard and not responder.finished:
        yield responder.answer(b"") or b""


def reply(make: MakeResponder, datagram: bytes, limit: int | None = None) -> bytes | None:
    """
    What is said to a datagram; L{None} is no reply at all.
    """
    responder = make(conversation("udp", limit))
    words = [responder.opening()]
    if not responder.finished:
        words.append(responder.answer(datagram))
    said = [word for word in words if word is not None]
    return b"".join(said) if said else None


def cuttings(message: bytes) -> Iterator[list[bytes]]:
    """
    All ways in which the network may cut a message into segments.
    """
    for count in range(len(message)):
        for cuts in combinations(range(1, len(message)), count):
            edges = [0, *cuts, len(message)]
            yield [message[start:end] for start, end in pairwise(edges)]


class Contract(SynchronousTestCase):
    """
    The tests of one service. L{contracts} makes a case of them for each.
    """

    responder: ClassVar[type[Responder]]

    def _require(self, met: object, promise: str) -> None:
        self.assertTrue(met, f"{self.responder.name}: {promise}")

    def test_nameAndPort(self) -> None:
        """
        The name is a word that can stand on the command line, and the port is one; no other service has them.
        """
        every = [find(name) for name in names()]
        self.assertRegex(self.responder.name, r"\A[a-z][a-z0-9-]*\Z")
        self._require(0 < self.responder.port < 65536, "a port is 1 to 65535")
        self.assertEqual([other for other in every if other.name == self.responder.name], [self.responder])
        self.assertEqual([other for other in every if other.port == self.responder.port], [self.responder])

    def test_declarations(self) -> None:
        """
        What one message is, and its deadline, are declared in terms that the streams know.
        """
        self.assertIn(self.responder.message, ("bytes", "segment"))
        deadline = self.responder.deadline
        self._require(deadline is None or deadline > 0, "a deadline is some seconds, or None")
        self._require(self.responder.finished is False, "a conversation does not begin with its end")

    def test_example(self) -> None:
        """
        The docstring says what the service does, and shows it in an example that is true.
        """
        summary = (self.responder.__doc__ or "").strip().partition("\n")[0]
        self._require(summary, "its docstring says what it does")
        module = inspect.getmodule(self.responder)
        said: list[str] = []
        runner = DocTestRunner(verbose=False)
        for example in DocTestFinder(recurse=False).find(self.responder, module=module):
            runner.run(example, out=said.append)
        self._require(runner.tries, "its docstring has an example")
        self.assertEqual("".join(said), "")

    def test_anyCutting(self) -> None:
        """
        However a short message is cut, the same is said, if the message is declared to be bytes.
        """
        if self.responder.message == "segment":
            return
        for message in (b"1\r\n", b"Hi~\0\xff\n", b"\xc3\x9f\xe2\x82\xac!"):
            whole = b"".join(speech(self.responder, [message]))
            for segments in cuttings(message):
                self.assertEqual(b"".join(speech(self.responder, segments)), whole, segments)

    def test_longMessage(self) -> None:
        """
        A long message may come in the segments of an Ethernet, or byte by byte, if the message is declared to be bytes.
        """
        if self.responder.message == "bytes":
            message = Random(793).randbytes(100_000)
            whole = b"".join(speech(self.responder, [message]))
            for size in (1448, 1):
                segments = [message[start : start + size] for start in range(0, len(message), size)]
                self._require(b"".join(speech(self.responder, segments)) == whole, f"{size} bytes a segment")

    @ANYTHING
    @given(segments=st.lists(st.binary(min_size=1, max_size=2000), max_size=20))
    def test_anyCuttingOfAnything(self, segments: list[bytes]) -> None:
        """
        However any message is cut, the same is said, if the message is declared to be bytes.
        """
        if self.responder.message == "bytes" and segments:
            whole = b"".join(speech(self.responder, [b"".join(segments)]))
            self.assertEqual(b"".join(speech(self.responder, segments)), whole)

    @ANYTHING
    @given(message=st.binary(min_size=1, max_size=2000))
    def test_datagramsSayTheSame(self, message: bytes) -> None:
        """
        A datagram is answered in the words that a stream would say to it, but for the transport's name. Who talks
        without end has to be brief.
        """
        said = (reply(self.responder, message) or b"").replace(b"udp", b"tcp")
        words = b"".join(speech(self.responder, [message])).replace(b"udp", b"tcp")
        if self.responder(conversation()).talk() is None:
            self.assertEqual(said, words)
        else:
            self._require(words.startswith(said), "a datagram holds the beginning of the talk")

    @ANYTHING
    @given(message=st.binary(max_size=600))
    def test_limit(self, message: bytes) -> None:
        """
        A reply fits the limit, or is as long as without one, so that it is withheld rather than sent in part.
        """
        limit = max(len(message), 40)
        said = reply(self.responder, message, limit) or b""
        if len(said) > limit:
            self.assertEqual(said, reply(self.responder, message))

    @ANYTHING
    @given(ours=st.lists(st.binary(min_size=1), max_size=5), theirs=st.lists(st.binary(min_size=1), max_size=5))
    def test_nothingShared(self, ours: list[bytes], theirs: list[bytes]) -> None:
        """
        Of two conversations that go on at the same time, each goes as it would alone.
        """
        alone = list(speech(self.responder, ours)), list(speech(self.responder, theirs))
        turns = zip_longest(speech(self.responder, ours), speech(self.responder, theirs))
        together = tuple([word for word in words if word is not None] for words in zip(*turns, strict=True))
        self.assertEqual(together, alone)

    def test_arbitraryInput(self) -> None:
        """
        Whatever is said to it, wherever, it answers with bytes or with nothing, and does not raise.
        """
        chance = Random(868)
        for _ in range(10_000):
            limit = chance.choice([None, 0, 1, 40, 512])
            responder = self.responder(conversation("tcp" if limit is None else "udp", limit, random=chance))
            message = chance.randbytes(chance.choice([0, 1, 2, 3, 40, 600]))
            for words in (responder.opening(), responder.answer(message)):
                if not (words is None or type(words) is bytes):
                    self.fail(f"{words!r} to {message!r}")
            if not (responder.finished is True or responder.finished is False):
                self.fail(f"finished: {responder.finished!r} after {message!r}")

    def test_talk(self) -> None:
        """
        Talk is words without end, each some bytes.
        """
        talk = self.responder(conversation()).talk()
        if talk is not None:
            words = list(islice(talk, 1000))
            self.assertEqual(len(words), 1000)
            self._require(all(type(word) is bytes and word for word in words), "talk is bytes")


def contracts(module: str) -> dict[str, type[Contract]]:
    """
    A test case for each service, by its name.

    @param module: where they are to be collected.
    """
    cases = {}
    for service in names():
        name = f"{service.title().replace('-', '')}ContractTests"
        body = {"__module__": module, "__doc__": f"What C{{{service}}} promises.", "responder": find(service)}
        cases[name] = type(name, (Contract,), body)
    return cases

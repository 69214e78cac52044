"""
The contract of responders, as a test case to inherit from.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Sequence
from doctest import DocTestFinder, DocTestRunner
from itertools import islice
from random import Random
from typing import Any, ClassVar

from sockservices.conversation.responder import Responder
from sockservices.scripting.coroutine_service import isCoroutineService
from sockservices.testing.contract_assertions import ContractAssertions, abbreviated
from sockservices.testing.memory_exchange import conversation
from sockservices.testing.segmentation import segmentations
from sockservices.text.exceptions import exceptionText

__all__ = ["ResponderContract"]

#: Short messages: with a line end, with bytes that are no text, and with UTF-8 sequences of several bytes.
SHORT_MESSAGES = (b"1\r\n", b"Hi~\0\xff\n", b"\xc3\x9f\xe2\x82\xac!")

#: The number of random inputs for each rule.
RANDOM_INPUTS = 100


class ResponderContract(ContractAssertions):
    """
    The tests of one responder. Inherit from it and from C{TestCase}, trial's or C{unittest}'s::

        class Rot13Tests(ResponderContract, SynchronousTestCase):
            responder = Rot13

    Each test checks one rule, and its failure names the rule. Random inputs are seeded, so that a failure repeats.

    @cvar messages: messages with a meaning for the responder, to be mixed with random bytes.
    """

    messages: ClassVar[Sequence[bytes]] = ()

    def _randomMessage(self, random: Random) -> bytes:
        """
        One of C{messages}, or 1 to 2000 random bytes.
        """
        if self.messages and random.random() < 0.5:
            return random.choice(self.messages)
        return random.randbytes(random.choice((1, 2, 3, 40, 600, 2000)))

    def _randomMessages(self, random: Random, count: int) -> list[bytes]:
        return [self._randomMessage(random) for _ in range(count)]

    def test_nameAndPort(self) -> None:
        """
        The name is valid on the command line, and the port is a port number.
        """
        # A coroutine function needs them only as a service of the command line.
        defaultName, defaultPort = ("name", 1) if isCoroutineService(self.responder) else (None, None)
        name = getattr(self.responder, "name", defaultName)
        port = getattr(self.responder, "port", defaultPort)
        if not (isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9-]*", name)):
            self.failRule(f"name is a word of a to z, digits and hyphens, not {name!r}")
        if not (isinstance(port, int) and 0 < port < 65536):
            self.failRule(f"port is 1 to 65535, not {port!r}")

    def test_declarations(self) -> None:
        """
        C{message}, C{deadline} and C{finished} have valid values.
        """
        message, deadline, finished = (
            getattr(self.responder, name, getattr(Responder, name)) for name in ("message", "deadline", "finished")
        )
        if message not in ("bytes", "segment"):
            self.failRule(f'message is "bytes" or "segment", not {message!r}')
        if not (deadline is None or (isinstance(deadline, (int, float)) and deadline > 0)):
            self.failRule(f"deadline is a positive number of seconds or None, not {deadline!r}")
        if finished is not False:
            self.failRule(f"finished is False on the class, not {finished!r}")

    def test_example(self) -> None:
        """
        The docstring describes the service, and has an example that passes as a doctest.
        """
        responder = self.responder
        if not (responder.__doc__ or "").strip().partition("\n")[0]:
            self.failRule("the docstring describes the service, but there is none")
        report: list[str] = []
        runner = DocTestRunner(verbose=False)
        names = {responder.__name__: responder}
        for example in DocTestFinder(recurse=False).find(responder, globs=_globals(responder), extraglobs=names):
            runner.run(example, out=report.append)
        if not runner.tries:
            self.failRule("the docstring has an example, such as >>> Echo(Conversation()).answer(b'hi~')")
        if report:
            self.failRule(f"the docstring's example passes as a doctest, but\n{''.join(report)}")

    def test_segmentation(self) -> None:
        """
        The output for a short message does not depend on its segmentation.
        """
        for message in (*SHORT_MESSAGES, *self.messages):
            for segments in segmentations(message):
                self.assertSameHoweverCut(segments)

    def test_segmentationOfLongMessage(self) -> None:
        """
        The output for a message of 100,000 bytes does not depend on its segmentation.
        """
        if getattr(self.responder, "message", "bytes") == "bytes":
            for segments in segmentations(Random(793).randbytes(100_000), ways=4):
                self.assertSameHoweverCut(segments)

    def test_sameReplyOnDatagrams(self) -> None:
        """
        The reply to a datagram is the reply to the same bytes on a stream, or the beginning of endless output.
        """
        for message in (*SHORT_MESSAGES, *self._randomMessages(Random(768), RANDOM_INPUTS)):
            self.assertSameOnDatagrams(message)

    def test_replyLimit(self) -> None:
        """
        A reply is not longer than C{conversation.limit}, or is the whole reply, which the server then withholds.
        """
        for message in (b"", *SHORT_MESSAGES, *self._randomMessages(Random(1122), RANDOM_INPUTS)):
            self.assertWithinLimit(message)

    def test_independentConversations(self) -> None:
        """
        Two concurrent conversations have the same replies as each one alone.
        """
        random = Random(862)
        for _ in range(RANDOM_INPUTS):
            ours, theirs = (self._randomMessages(random, random.randint(0, 5)) for _ in range(2))
            self.assertNothingShared(ours, theirs)

    def test_randomInput(self) -> None:
        """
        For any message, on a stream or as a datagram, the responder raises no exception and returns bytes or None.
        """
        random = Random(868)
        for _ in range(100 * RANDOM_INPUTS):
            limit = random.choice([None, 0, 1, 40, 512])
            exchange = self.exchange(conversation("tcp" if limit is None else "udp", limit, random=random))
            exchange.greet()
            exchange.receive(self._randomMessage(random) if random.random() < 0.9 else b"")

    def test_generate(self) -> None:
        """
        C{generate()} yields bytes without end, and no empty piece.
        """
        exchange = self.exchange(conversation())
        exchange.greet()
        if exchange.generator is None:
            return
        try:
            pieces = list(islice(exchange.generator, 1000))
        except Exception as exception:
            self.failRule(f"generate() raises no exception, but it raised {exceptionText(exception)}")
        for piece in pieces:
            if type(piece) is not bytes or not piece:
                self.failRule(f"generate() yields non-empty bytes, not {abbreviated(piece)}")
        if len(pieces) < 1000:
            self.failRule(f"generate() does not end, but it ended after {len(pieces)} pieces")


def _globals(responder: Any) -> dict[str, Any]:
    """
    The names that an example may use: those of the module, or other namespace, that defines the responder.
    """
    if inspect.isfunction(responder):
        return responder.__globals__
    for value in vars(responder).values():
        if inspect.isfunction(value):
            return value.__globals__
    module = sys.modules.get(responder.__module__)
    return {} if module is None else vars(module)

"""
The tests that every responder passes, to inherit.
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
from sockservices.testing.cutting import segmentations
from sockservices.testing.memory_exchange import conversation
from sockservices.testing.promises import Promises, brief
from sockservices.text.exceptions import exceptionText

__all__ = ["ResponderContract"]

#: Short messages, with a line end, with bytes that are no text, and with letters of several bytes.
SHORT = (b"1\r\n", b"Hi~\0\xff\n", b"\xc3\x9f\xe2\x82\xac!")

#: How often a promise is tried with input made by chance.
TRIES = 100


class ResponderContract(Promises):
    """
    Inherited beside a C{TestCase}, trial's or C{unittest}'s, it tests a responder::

        class Rot13Tests(ResponderContract, SynchronousTestCase):
            responder = Rot13

    Each test is of one promise, and when it fails says which. All chance is seeded: what fails once fails again.

    @cvar messages: some that mean something to the responder, where arbitrary bytes would not get far.
    """

    messages: ClassVar[Sequence[bytes]] = ()

    def _message(self, chance: Random) -> bytes:
        """
        One that means something, or some bytes.
        """
        if self.messages and chance.random() < 0.5:
            return chance.choice(self.messages)
        return chance.randbytes(chance.choice((1, 2, 3, 40, 600, 2000)))

    def _segments(self, chance: Random) -> list[bytes]:
        return [self._message(chance) for _ in range(chance.randint(0, 5))]

    def test_nameAndPort(self) -> None:
        """
        The name is a word that can stand on the command line, and the port is one.
        """
        name, port = getattr(self.responder, "name", None), getattr(self.responder, "port", None)
        if not (isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9-]*", name)):
            self.broken(f"its name is a word of a to z, digits and hyphens, not {name!r}")
        if not (isinstance(port, int) and 0 < port < 65536):
            self.broken(f"its port is 1 to 65535, not {port!r}")

    def test_declarations(self) -> None:
        """
        What one message is, and its deadline, are declared in terms that the streams know.
        """
        message, deadline, finished = self.responder.message, self.responder.deadline, self.responder.finished
        if message not in ("bytes", "segment"):
            self.broken(f'its message is "bytes" or "segment", not {message!r}')
        if not (deadline is None or (isinstance(deadline, (int, float)) and deadline > 0)):
            self.broken(f"its deadline is some seconds, or None, not {deadline!r}")
        if finished is not False:
            self.broken("finished is False on the class: a conversation does not begin with its end")

    def test_example(self) -> None:
        """
        The docstring says what the service does, and shows it in an example that is true.
        """
        responder = self.responder
        if not (responder.__doc__ or "").strip().partition("\n")[0]:
            self.broken("its docstring says what it does")
        said: list[str] = []
        runner = DocTestRunner(verbose=False)
        known = {responder.__name__: responder}
        for example in DocTestFinder(recurse=False).find(responder, globs=_globals(responder), extraglobs=known):
            runner.run(example, out=said.append)
        if not runner.tries:
            self.broken("its docstring has an example, as in >>> Echo(Conversation()).answer(b'hi~')")
        if said:
            self.broken(f"its docstring's example is true; but\n{''.join(said)}")

    def test_anyCutting(self) -> None:
        """
        However a short message is cut, the same is said, if the message is declared to be bytes.
        """
        for message in (*SHORT, *self.messages):
            for segments in segmentations(message):
                self.assertSameHoweverCut(segments)

    def test_longMessage(self) -> None:
        """
        A long message may come in the segments of an Ethernet, or byte by byte, if the message is declared to be bytes.
        """
        if self.responder.message == "bytes":
            for segments in segmentations(Random(793).randbytes(100_000), ways=4):
                self.assertSameHoweverCut(segments)

    def test_datagramsSayTheSame(self) -> None:
        """
        A datagram is answered in the words that a stream would say to it, but for the transport's name. Who talks
        without end has to be brief.
        """
        chance = Random(768)
        for message in (*SHORT, *(self._message(chance) for _ in range(TRIES))):
            self.assertSameOnDatagrams(message)

    def test_limit(self) -> None:
        """
        A reply fits the limit, or is as long as without one, so that it is withheld rather than sent in part.
        """
        chance = Random(1122)
        for message in (b"", *SHORT, *(self._message(chance) for _ in range(TRIES))):
            self.assertWithinLimit(message)

    def test_nothingShared(self) -> None:
        """
        Of two conversations that go on at the same time, each goes as it would alone.
        """
        chance = Random(862)
        for _ in range(TRIES):
            self.assertNothingShared(self._segments(chance), self._segments(chance))

    def test_arbitraryInput(self) -> None:
        """
        Whatever is said to it, wherever, it answers with bytes or with nothing, and does not raise.
        """
        chance = Random(868)
        for _ in range(100 * TRIES):
            limit = chance.choice([None, 0, 1, 40, 512])
            exchange = self.exchange(conversation("tcp" if limit is None else "udp", limit, random=chance))
            exchange.greet()
            exchange.receive(self._message(chance) if chance.random() < 0.9 else b"")

    def test_generate(self) -> None:
        """
        Generated output has no end, and each piece is some bytes.
        """
        exchange = self.exchange(conversation())
        exchange.greet()
        if exchange.generator is None:
            return
        try:
            pieces = list(islice(exchange.generator, 1000))
        except Exception as exception:
            self.broken(f"generate() raises nothing; but it raised {exceptionText(exception)}")
        for piece in pieces:
            if type(piece) is not bytes or not piece:
                self.broken(f"generate() yields some bytes each time, but it yielded {brief(piece)}")
        if len(pieces) < 1000:
            self.broken("what generate() yields does not end")


def _globals(responder: type[Responder]) -> dict[str, Any]:
    """
    The names that its examples may use: those where it was written, in a module or not.
    """
    for value in vars(responder).values():
        if inspect.isfunction(value):
            return value.__globals__
    module = sys.modules.get(responder.__module__)
    return {} if module is None else vars(module)

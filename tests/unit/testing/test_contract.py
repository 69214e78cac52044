"""
Tests for L{ResponderContract}.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import types
import unittest
from itertools import count, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial import runner
from twisted.trial.unittest import SynchronousTestCase

import sockservices
from sockservices import Conversation, Responder
from sockservices.responders import Chargen, Hello, Welcome
from sockservices.testing import ResponderContract


class Conforming(Responder):
    """
    Sends back every byte.

    >>> Conforming(Conversation()).answer(b"hi~")
    b'hi~'
    """

    name = "conforming"
    port = 1

    def answer(self, message: bytes) -> bytes | None:
        """
        Return the message.
        """
        return message


def variant(**members: Any) -> type[Responder]:
    """
    Make a subclass of L{Conforming} that has other members.
    """
    return type("Broken", (Conforming,), {"__doc__": Conforming.__doc__, "__module__": __name__, **members})


def fail(*_: object) -> Any:
    """
    Raise ValueError.
    """
    raise ValueError("not today")


def numbered(_: Responder, message: bytes) -> bytes:
    """
    Return the length of the message.
    """
    return b"%d " % len(message)


#: Responders that break one rule: the members that break it, the test that fails, and its message.
BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"name": "my echo"}, "nameAndPort", "name is a word .*'my echo'"),
    ({"name": None}, "nameAndPort", "name is a word .*None"),
    ({"port": None}, "nameAndPort", "port is .*None"),
    ({"port": 0}, "nameAndPort", "port is 1 to 65535, not 0"),
    ({"message": "line"}, "declarations", 'message is "bytes" or "segment", not \'line\''),
    ({"deadline": -1}, "declarations", "deadline is a positive number of seconds or None, not -1"),
    ({"deadline": "soon"}, "declarations", "deadline is a positive number of seconds or None, not 'soon'"),
    ({"finished": True}, "declarations", "finished is False on the class, not True"),
    ({"__doc__": None}, "example", "the docstring describes the service"),
    ({"__doc__": "Echoes."}, "example", "the docstring has an example"),
    ({"__doc__": "Echoes.\n\n>>> 1\n2\n"}, "example", r"passes as a doctest, but\n[\s\S]*Expected:\n    2"),
    ({"answer": numbered}, "segmentation", "does not depend on the segmentation"),
    ({"answer": lambda _, message: message[:1448]}, "segmentationOfLongMessage", "does not depend on the segmentation"),
    (
        {"answer": lambda self, message: self.conversation.transport.encode()[:1] + message},
        "sameReplyOnDatagrams",
        r"is the output on a stream.*b'u1.*from byte 0 on, expected b't1",
    ),
    ({"generate": lambda _: repeat(b"blah")}, "sameReplyOnDatagrams", "or the beginning of endless output"),
    (
        {"answer": lambda self, message: (message + bytes(99))[: (self.conversation.limit or 999) + 1]},
        "replyLimit",
        "which the server withholds, but with a limit of 40 the reply to .* has 41 of 99 bytes",
    ),
    (
        {"served": count(), "answer": lambda self, _: b"%d" % next(self.served)},
        "independentConversations",
        "share no state",
    ),
    ({"answer": lambda *_: random.randbytes(8)}, "independentConversations", "random numbers from the conversation"),
    ({"answer": fail}, "randomInput", r"no exception, but in its reply to b.*ValueError\('not today'\) at .*:\d+"),
    ({"__init__": fail}, "randomInput", "no exception, but in its greeting: ValueError"),
    ({"greeting": fail}, "randomInput", "no exception, but in its greeting: ValueError"),
    ({"answer": lambda *_: "HELLO"}, "randomInput", r"answer\(\) returned str, expected bytes or None"),
    ({"greeting": lambda _: bytearray(1)}, "randomInput", r"greeting\(\) returned bytearray, expected bytes or None"),
    ({"finished": None}, "randomInput", "finished is False when a conversation starts, not None"),
    ({"answer": lambda *_: Deferred()}, "randomInput", "TimeoutError.*the Deferred did not fire"),
    ({"generate": lambda _: iter([b"end"])}, "generate", "does not end, but it ended after 1 pieces"),
    ({"generate": lambda _: repeat(b"")}, "generate", "yields non-empty bytes, not b''"),
    ({"generate": lambda _: repeat("blah")}, "generate", "yields non-empty bytes, not 'blah'"),
    ({"generate": lambda _: map(fail, repeat(1))}, "generate", "raises no exception, but it raised ValueError"),
]

#: Test cases for unittest and for trial, in a user's module.
MODULE = """
import unittest
from twisted.trial import unittest as trial
from sockservices.responders import Echo, Hello
from sockservices.testing import ResponderContract

class EchoTests(ResponderContract, unittest.TestCase):
    responder = Echo

class HelloTests(ResponderContract, trial.SynchronousTestCase):
    responder = Hello
"""


class ContractTests(SynchronousTestCase):
    """
    Tests for the contract: a conforming responder passes, and one that breaks a rule fails with a message.
    """

    def failures(
        self, responder: type[Responder], *tests: str, base: Any = SynchronousTestCase, **members: Any
    ) -> dict[str, str]:
        """
        Run the contract's tests of a responder, and return the report of each test that fails. No test has an error.

        @param tests: the tests to run; by default all.
        @param members: members of the test case.
        """
        case = type("Case", (ResponderContract, base), {"responder": responder, **members})
        names = [f"test_{test}" for test in tests] or unittest.defaultTestLoader.getTestCaseNames(case)
        self.assertGreater(len(names), 0)
        result = unittest.TestResult()
        unittest.TestSuite(map(case, names)).run(result)
        self.assertEqual((result.errors, result.testsRun), ([], len(names)))
        return {test.id().rpartition("test_")[2]: report for test, report in result.failures}

    def test_conforming(self) -> None:
        """
        A conforming responder, whose example uses a name of its module, passes with trial's test case and with
        unittest's.
        """
        for base in (SynchronousTestCase, unittest.TestCase):
            self.assertEqual(self.failures(Conforming, base=base), {})

    def test_brokenRules(self) -> None:
        """
        For each broken rule a test fails. Its message has the name of the responder and the rule.
        """
        for members, test, message in BROKEN:
            for base in (SynchronousTestCase, unittest.TestCase):
                failures = self.failures(variant(**members), test, base=base)
                self.assertRegex(failures.get(test, "no failure"), f"Broken: .*{message}", str(members))

    def test_everyTestCanFail(self) -> None:
        """
        The table of broken rules has a row for each test of the contract.
        """
        tests = {name.removeprefix("test_") for name in dir(ResponderContract) if name.startswith("test_")}
        self.assertEqual({test for _, test, _ in BROKEN}, tests)

    def test_stateSharedByConcurrentConversations(self) -> None:
        """
        State that each new conversation resets is found, because conversations are concurrent.
        """
        messages: list[bytes] = []

        def init(self: Responder, conversation: Conversation) -> None:
            Responder.__init__(self, conversation)
            messages.clear()

        def answer(self: Responder, message: bytes) -> bytes:
            messages.append(message)
            return b"%d" % len(messages)

        failures = self.failures(variant(__init__=init, answer=answer, message="segment"))
        self.assertEqual(set(failures), {"independentConversations"})

    def test_exceptionsFromRules(self) -> None:
        """
        These conform: a responder whose message is a segment, one whose long reply is whole, one that has finished (it
        gets no message), and one with endless output.
        """

        def greeting(self: Responder) -> bytes:
            self.finished = True
            return b"bye"

        for responder in (
            variant(message="segment", answer=numbered),
            variant(message="segment", answer=lambda *_: b"x" * 41),
            variant(greeting=greeting, answer=numbered),
            Chargen,
        ):
            self.assertEqual(self.failures(responder), {})

    def test_streamWithoutInput(self) -> None:
        """
        The output on a stream that ends without input is the reply to its end, as on a real server.
        """
        for service, output in ((Welcome, b"please go out!"), (Hello, b"")):
            case = type("Case", (ResponderContract,), {"responder": service})()
            self.assertEqual(case.streamOutput([]), output)

    def test_messages(self) -> None:
        """
        An error that depends on one message is found when the test case lists the message. All tests with random input
        use it.
        """
        quits = variant(answer=lambda _, message: b"bye" if message == b"QUIT\r\n" else b"")
        self.assertEqual(self.failures(quits, "segmentation"), {})
        failures = self.failures(quits, messages=(b"QUIT\r\n",))
        self.assertEqual(set(failures), {"segmentation"})
        self.assertIn(r"for [b'Q', b'UIT\r\n'] it has b'' from byte 0 on, expected b'bye'", failures["segmentation"])
        raises = variant(answer=lambda _, message: fail() if message == b"QUIT\r\n" else message)
        for test in ("randomInput", "sameReplyOnDatagrams", "replyLimit", "independentConversations"):
            self.assertEqual(self.failures(raises, test), {})
            self.assertIn("raises no exception", self.failures(raises, test, messages=(b"QUIT\r\n",))[test])

    def test_failuresRepeat(self) -> None:
        """
        A failure has the same message in each run.
        """
        failing = variant(answer=lambda _, message: fail() if len(message) > 1000 else message)
        first, second = (self.failures(failing, "randomInput")["randomInput"] for _ in range(2))
        self.assertEqual(first, second)

    def test_collection(self) -> None:
        """
        pytest, unittest and trial collect the test cases, and not the contract itself.
        """
        tests = 2 * len([name for name in dir(ResponderContract) if name.startswith("test_")])
        folder = Path(self.enterContext(TemporaryDirectory()))
        (folder / "test_responders.py").write_text(MODULE)
        module = types.ModuleType("test_responders")
        exec(MODULE, vars(module))
        self.assertEqual(unittest.defaultTestLoader.loadTestsFromModule(module).countTestCases(), tests)
        self.assertEqual(runner.TestLoader().loadModule(module).countTestCases(), tests)
        source = str(Path(sockservices.__file__).parents[1])
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_responders.py"]
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        self.assertRegex(result.stdout + result.stderr, rf"\b{tests} passed")

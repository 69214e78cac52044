"""
The base class of responders, and the attributes of its conversation.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Environment, Responder
from tests.support.contract import NOW, conversation


class ConversationTests(SynchronousTestCase):
    """
    L{Conversation} and the defaults of L{Responder}.
    """

    def test_environment(self) -> None:
        """
        By default, a conversation has the system's clock, a random source, the host's name and the logged-in users. An
        environment replaces them.
        """
        plain = Conversation()
        self.assertGreater(plain.now(), NOW - 365 * 24 * 3600)
        self.assertTrue(plain.server)
        self.assertTrue(0 <= plain.random.random() < 1)
        self.assertTrue(all(isinstance(user, str) for user in plain.users()))
        environment = Environment(server="there", now=lambda: 1.5, random=Random(1), users=lambda: ["ada"])
        made = Conversation("unix", None, None, 3, 40, environment)
        self.assertEqual((made.server, made.now(), made.users()), ("there", 1.5, ["ada"]))
        self.assertIs(made.random, environment.random)
        self.assertEqual((made.transport, made.serial, made.limit), ("unix", 3, 40))

    def test_defaultResponder(self) -> None:
        """
        A responder that overrides nothing sends nothing, and does not finish.
        """
        plain = Responder(conversation())
        self.assertEqual((plain.greeting(), plain.answer(b"1"), plain.generate()), (None, None, None))
        self.assertEqual((plain.finished, plain.message, plain.deadline), (False, "bytes", None))

"""
What can make a responder, and which type a responder returned by mistake.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, DatagramResponder, Responder, StreamFactory
from sockservices.conversation.responder import serviceName
from sockservices.responders import Echo


class Nameless(Responder):
    """
    A responder without a name for the command line.
    """


class Configured(Responder):
    """
    A responder that needs more than a conversation.
    """

    def __init__(self, conversation: Conversation, path: str) -> None:
        super().__init__(conversation)
        self.path = path


def make(conversation: Conversation) -> Responder:
    """
    Make a responder.
    """
    return Echo(conversation)


class MakerTests(SynchronousTestCase):
    """
    A factory and a datagram protocol reject an object that cannot make a responder.
    """

    def test_rejected(self) -> None:
        """
        The error names the object and the expected types.
        """
        cases: list[tuple[Any, str]] = [
            (Factory, "Factory: expected a Responder class"),
            (Nameless(Conversation()), "an instance of Nameless: expected the class itself"),
            (b"echo", "b'echo': expected a Responder class"),
            (None, "None: expected a Responder class"),
            (lambda: Echo, "<lambda>: expected to be called with a Conversation"),
            (Configured, "Configured: expected to be called with a Conversation"),
        ]
        for responder, expected in cases:
            for makeServed in (StreamFactory, DatagramResponder):
                with self.subTest(expected, made=makeServed):
                    error = self.assertRaises(TypeError, makeServed, responder)
                    self.assertIn(expected, str(error))

    def test_accepted(self) -> None:
        """
        A class, a function, a partial call and any class with the methods of a responder make one.
        """
        similar = type("Similar", (), {**vars(Responder), "__dict__": None, "__weakref__": None})
        for responder in (
            Nameless,
            make,
            lambda conversation: Echo(conversation),
            partial(Configured, path="/"),
            similar,
        ):
            StreamFactory(responder)
            DatagramResponder(responder)


class NameTests(SynchronousTestCase):
    """
    The name of a service in logs and errors.
    """

    def test_names(self) -> None:
        """
        It is the responder's C{name}; without one, the name of its class or of the callable that makes it.
        """
        cases: list[tuple[Any, str]] = [
            (Echo, "echo"),
            (Echo(Conversation()), "echo"),
            (Nameless, "Nameless"),
            (Nameless(Conversation()), "Nameless"),
            (make, "make"),
            (partial(Configured, path="/"), "Configured"),
            (lambda conversation: Echo(conversation), "<lambda>"),
        ]
        for responder, name in cases:
            with self.subTest(name):
                self.assertEqual(serviceName(responder), name)

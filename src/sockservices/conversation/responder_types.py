"""
Checks of a callable that makes responders, and of the return values of a responder. They cost a conversation nothing:
the callable is checked once for each listener, and the return values are checked after an exception.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from sockservices.conversation.responder import Responder, serviceName

__all__ = ["ResponderTypeError", "checkMade", "checkMaker", "outputError", "replyError", "responderError"]

#: The methods and attributes of a responder that a server uses.
MEMBERS = ("answer", "deadline", "finished", "generate", "greeting")

#: The types that iterators of output may yield.
BYTES = (bytes, bytearray, memoryview)


class ResponderTypeError(TypeError):
    """
    A responder returned an object of a wrong type, or an object that is to make responders cannot.
    """


def checkMaker(make: Any) -> None:
    """
    Reject an object that cannot make a responder, as far as that is known before a conversation begins.

    @raise ResponderTypeError: for an object that cannot be called, or not with a L{Conversation
        <sockservices.Conversation>} alone (a coroutine function: with a peer), and for a class without the methods of a
        L{Responder}.
    """
    expected = (
        "a Responder class, a callable that takes a Conversation and returns a Responder, or a coroutine function"
    )
    if isinstance(make, Responder):
        raise ResponderTypeError(f"an instance of {type(make).__name__}: expected the class itself, not an instance")
    if not callable(make):
        raise ResponderTypeError(f"{make!r}: expected {expected}")
    if isinstance(make, type) and not _isResponder(make):
        raise ResponderTypeError(f"{make.__name__}: expected {expected}")
    try:
        inspect.signature(make).bind(None)
    except TypeError as error:
        name = getattr(make, "__name__", repr(make))
        argument = "the peer" if inspect.iscoroutinefunction(make) else "a Conversation"
        raise ResponderTypeError(f"{name}: expected to be called with {argument} alone: {error}") from None
    except ValueError:
        # Some callables that are written in C have no signature.
        return


def _isResponder(made: object) -> bool:
    return all(hasattr(made, member) for member in MEMBERS)


def responderError(make: Any, made: object, exception: BaseException) -> BaseException:
    """
    The error of a conversation that could not begin.

    @param made: the return value of C{make}. The exception was raised afterwards.
    """
    try:
        if made is not None:
            checkMade(make, made)
    except ResponderTypeError as error:
        return error.with_traceback(None)
    return exception


def checkMade(make: Any, made: object) -> None:
    """
    Reject the return value of a callable if it is no responder.

    @raise ResponderTypeError: if it lacks a method of a L{Responder}.
    """
    if isinstance(made, type) or not _isResponder(made):
        raise ResponderTypeError(f"{serviceName(make)}() returned {type(made).__name__}, expected a Responder")


def replyError(responder: object, method: str, reply: object) -> ResponderTypeError:
    """
    The error of a reply that is neither bytes nor awaitable.
    """
    return ResponderTypeError(
        f"{_className(responder)}.{method}() returned {type(reply).__name__}, expected bytes or None"
    )


def _className(responder: object) -> str:
    """
    The name of the class that the user has written, also where a framing is around its responder.
    """
    return type(getattr(responder, "unframed", responder)).__name__


def outputError(
    responder: object, generator: object, pieces: Sequence[object], exception: BaseException
) -> BaseException:
    """
    The error of endless output that could not be joined.

    @param generator: the return value of C{responder.generate()}.
    @param pieces: the objects that it yielded.
    @param exception: the exception that joining them raised.
    """
    method = f"{_className(responder)}.generate()"
    if not hasattr(generator, "__iter__"):
        return ResponderTypeError(f"{method} returned {type(generator).__name__}, expected an iterator or None")
    for piece in pieces:
        if not isinstance(piece, BYTES):
            return ResponderTypeError(f"{method} yielded {type(piece).__name__}, expected bytes")
    return exception

"""
How a far end differs from what its service is to do.
"""

from __future__ import annotations

from sockservices.client import Verdict

__all__ = ["Deviation", "Limited", "NotOffered", "compared", "shown"]

#: How many characters of what was said are shown.
MOST = 60


class Deviation(Exception):  # noqa: N818 (it is none of ours)
    """
    What was seen is not what was expected.
    """

    def __init__(self, seen: str, expected: str) -> None:
        super().__init__(f"{seen}, where {expected} was expected")
        self.seen = seen
        self.expected = expected


class Limited(Deviation):
    """
    What was expected is withheld, since it would be longer than what it replies to.
    """


class NotOffered(Exception):  # noqa: N818 (it is none of ours)
    """
    Nobody is there.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.word)
        self.verdict = verdict


def shown(said: bytes, start: int = 0) -> str:
    """
    Bytes as short, printable text.

    @param start: show no more than what follows this byte.
    """
    if not said:
        return "nothing"
    text = repr(said[start : start + MOST])
    if start == 0 and len(said) <= MOST and len(text) <= MOST:
        return text
    some = MOST
    while len(text) > MOST:
        some -= 1
        text = repr(said[start : start + some])
    return f"{text}{f' at byte {start}' if start else '...'} of {len(said)}"


def compared(seen: bytes, expected: bytes) -> tuple[str, str]:
    """
    Bytes and others as short texts that differ: of long ones, what follows the first difference.
    """
    texts = shown(seen), shown(expected)
    if texts[0] != texts[1] and max(len(seen), len(expected)) <= MOST:
        return texts
    pairs = enumerate(zip(seen, expected, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(seen), len(expected)))
    if at in (len(seen), len(expected)):
        return f"{len(seen) or 'no'} bytes", f"{len(expected) or 'no'} bytes"
    return shown(seen, at), shown(expected, at)

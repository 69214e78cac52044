"""
Short, printable excerpts of received data, for the table of results.
"""

from __future__ import annotations

from sockservices.text.difference import firstDifference

__all__ = ["excerpt", "excerptsOfDifference"]

#: The maximum length of an excerpt without its position, in characters.
MAX_EXCERPT = 60


def excerpt(data: bytes, start: int = 0) -> str:
    """
    Format bytes as a Python literal, cut to L{MAX_EXCERPT} characters; a cut literal is followed by the total length.

    @param start: the index of the first byte to show.
    """
    if not data:
        return "no data"
    text = repr(data[start : start + MAX_EXCERPT])
    if start == 0 and len(text) <= MAX_EXCERPT:
        return text
    count = MAX_EXCERPT
    while len(text) > MAX_EXCERPT:
        count -= 1
        text = repr(data[start : start + count])
    return f"{text}{f' at byte {start}' if start else '...'} of {len(data)}"


def excerptsOfDifference(seen: bytes, expected: bytes) -> tuple[str, str]:
    """
    Format two byte strings that differ. Long ones are shown from their first difference on; if one is the beginning of
    the other, their lengths are shown.
    """
    texts = excerpt(seen), excerpt(expected)
    if texts[0] != texts[1] and max(len(seen), len(expected)) <= MAX_EXCERPT:
        return texts
    start = firstDifference(seen, expected)
    if start in (len(seen), len(expected)):
        return f"{len(seen) or 'no'} bytes", f"{len(expected) or 'no'} bytes"
    return excerpt(seen, start), excerpt(expected, start)

"""
The conversations of a server that have ended: its thread adds them, and a test waits for them.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from types import TracebackType

import twisted

import sockservices
from sockservices.conversation.visit import Visit

__all__ = ["EndedVisits"]

#: The folders of the code between a test and its coroutine.
LIBRARIES = tuple(str(Path(package.__file__ or "").parent) for package in (sockservices, twisted))


class EndedVisits:
    """
    The visits of one server, and the mismatches that no test has seen yet.

    @ivar visits: the visits, in the order of their ends.
    """

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self._mismatches: list[AssertionError] = []
        self._added = threading.Condition()

    def add(self, visit: Visit) -> None:
        """
        Add a visit. Called in the reactor's thread.
        """
        with self._added:
            self.visits.append(visit)
            if visit.mismatch is not None:
                self._mismatches.append(visit.mismatch)
            self._added.notify_all()

    def wait(self, count: int, timeout: float) -> str | None:
        """
        Wait until so many visits have been added, or one with a mismatch.

        @param timeout: seconds to wait.
        @return: L{None}; after the timeout, the text of what has ended until then.
        """
        with self._added:
            if self._added.wait_for(lambda: len(self.visits) >= count or self._mismatches, timeout):
                return None
            ended = Counter(visit.outcome.value for visit in self.visits)
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in ended.most_common())
        return f"{ended.total()} of {count} conversations ended in {timeout:g} s{outcomes and f' ({outcomes})'}"

    def raiseMismatch(self) -> None:
        """
        Raise the first mismatch that was not raised yet, if there is one. A note counts the others.

        @raise AssertionError: the mismatch.
        """
        with self._added:
            mismatches, self._mismatches = self._mismatches, []
        if mismatches:
            first, *others = mismatches
            if others:
                first.add_note(f"{len(others)} more conversations ended with a mismatch")
            raise first.with_traceback(_withoutLibraries(first.__traceback__))


def _withoutLibraries(traceback: TracebackType | None) -> TracebackType | None:
    """
    Remove the lines of this package and of Twisted, so that the last line is one of the coroutine.
    """
    if traceback is None:
        return None
    traceback.tb_next = _withoutLibraries(traceback.tb_next)
    return traceback.tb_next if traceback.tb_frame.f_code.co_filename.startswith(LIBRARIES) else traceback

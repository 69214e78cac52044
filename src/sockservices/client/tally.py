"""
Probes that can be told apart, and the count of what became of them.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from random import Random

from sockservices.client.verdict import Unanswered, Verdict

__all__ = ["SIZE", "Tally"]

#: The bytes of a probe.
SIZE = 64

#: The bytes of it that say which one it is: a nonce and a number.
_HEAD = 16 + 1 + 10


class Tally:
    """
    Makes probes, and knows each when it comes back.

    @ivar sent: how many were made.
    @ivar returned: how many of them came back as they were.
    @ivar corrupt: how many replies were something else.
    @ivar duplicated: how many came back once more.
    @ivar reordered: how many came back after one that was sent later.
    @ivar strays: how many replies came from the wrong address.
    @ivar times: the seconds that each took which has returned.
    @ivar fault: what went wrong last.
    """

    def __init__(self, random: Random) -> None:
        self.sent = self.returned = self.corrupt = self.duplicated = self.reordered = self.strays = 0
        self.times = array("d")
        self.fault: Unanswered | None = None
        self._nonce = b"%016X" % random.getrandbits(64)
        self._awaited: dict[bytes, float] = {}
        self._spoilt: set[bytes] = set()
        self._latest = b""

    def probe(self, now: float) -> bytes:
        """
        Make the next probe: capital letters and digits, so that an upper-case service returns it too.

        @param now: the time in seconds, by any clock.
        """
        head = b"%s-%010d" % (self._nonce, self.sent)
        self._awaited[head] = now
        self.sent += 1
        return _filled(head)

    def miss(self, fault: Unanswered) -> None:
        """
        Count a probe that could not even be sent.
        """
        self.sent += 1
        self.fault = fault

    def hear(self, reply: bytes, now: float) -> None:
        """
        Count a reply.

        @param reply: a datagram, or as many bytes of a stream as a probe has.
        """
        head = reply[:_HEAD]
        if not head.startswith(self._nonce) or reply != _filled(head):
            self.corrupt += 1
            if head in self._awaited:
                self._spoilt.add(head)
        elif head in self._awaited:
            self.returned += 1
            self.times.append(now - self._awaited.pop(head))
            self._spoilt.discard(head)
            self.reordered += head < self._latest
            self._latest = max(head, self._latest)
        else:
            self.duplicated += 1

    def withdraw(self, since: float) -> None:
        """
        Do not count the probes that were sent since then and are still out: nobody has waited for them long enough. But
        if none has ever returned, that is all there is to tell, and they are lost.
        """
        if not self.returned:
            return
        late = [head for head, began in self._awaited.items() if began > since and head not in self._spoilt]
        self.sent -= len(late)
        for head in late:
            del self._awaited[head]

    @property
    def awaited(self) -> int:
        """
        How many were sent, and nothing has come in their place.
        """
        return len(self._awaited) - len(self._spoilt)

    @property
    def lost(self) -> int:
        """
        How many have not come back, be they as they were or not.
        """
        return self.sent - self.returned - len(self._spoilt)

    @property
    def verdict(self) -> Verdict:
        """
        How it went in all: the worst of what happened.
        """
        if self.lost and self.fault is not None:
            return self.fault.verdict
        if self.corrupt:
            return Verdict.CORRUPT
        if self.strays:
            return Verdict.WRONG_SOURCE
        return Verdict.TIMEOUT if self.lost else Verdict.OK


def _filled(head: bytes) -> bytes:
    # By the head alone, so that none need be kept to be known again.
    return head + blake2b(head, digest_size=SIZE).hexdigest().upper().encode()[: SIZE - _HEAD]

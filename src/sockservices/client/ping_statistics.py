"""
The probes of a ping, and the statistics of their replies.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from random import Random

from sockservices.client.request_failed import RequestFailed, Verdict

__all__ = ["PROBE_SIZE", "PingStatistics"]

#: The length of a probe in bytes.
PROBE_SIZE = 64

#: The length of a probe's identifier in bytes: a nonce of 16 digits, a hyphen and a sequence number of 10 digits.
_ID_SIZE = 16 + 1 + 10


class PingStatistics:
    """
    Makes distinct probes, identifies their replies, and counts both.

    @ivar sent: the number of probes.
    @ivar returned: the number of probes that came back unchanged.
    @ivar corrupt: the number of replies that equal no probe.
    @ivar duplicated: the number of further copies of returned probes.
    @ivar reordered: the number of probes that came back after a probe with a higher sequence number.
    @ivar wrongSourceCount: the number of replies from other addresses than the target.
    @ivar roundTripTimes: the round-trip time of each returned probe, in seconds.
    @ivar lastFailure: the last failure to send or receive.
    @ivar silenceVerdict: the verdict on probes that are lost without a failure.
    """

    def __init__(self, random: Random) -> None:
        """
        @param random: the source of the nonce, which distinguishes these probes from those of another ping.
        """
        self.sent = self.returned = self.corrupt = self.duplicated = self.reordered = self.wrongSourceCount = 0
        self.roundTripTimes = array("d")
        self.lastFailure: RequestFailed | None = None
        self.silenceVerdict = Verdict.TIMEOUT
        self._nonce = b"%016X" % random.getrandbits(64)
        self._sentAt: dict[bytes, float] = {}
        self._corruptedIds: set[bytes] = set()
        self._highestId = b""

    def makeProbe(self, now: float) -> bytes:
        """
        Make the next probe, and count it as sent. It has only capital letters, digits and a hyphen, so that the
        C{upper} service returns it unchanged.

        @param now: the time in seconds, by any clock.
        """
        probeId = b"%s-%010d" % (self._nonce, self.sent)
        self._sentAt[probeId] = now
        self.sent += 1
        return _padded(probeId)

    def countUnsent(self, failure: RequestFailed) -> None:
        """
        Count a probe as sent and lost, because there is no connection to send it over.
        """
        self.sent += 1
        self.lastFailure = failure

    def countReply(self, reply: bytes, now: float) -> None:
        """
        Count a reply.

        @param reply: a datagram, or L{PROBE_SIZE} bytes of a stream.
        """
        probeId = reply[:_ID_SIZE]
        if not probeId.startswith(self._nonce) or reply != _padded(probeId):
            self.corrupt += 1
            if probeId in self._sentAt:
                self._corruptedIds.add(probeId)
        elif probeId in self._sentAt:
            self.returned += 1
            self.roundTripTimes.append(now - self._sentAt.pop(probeId))
            self._corruptedIds.discard(probeId)
            self.reordered += probeId < self._highestId
            self._highestId = max(probeId, self._highestId)
        else:
            self.duplicated += 1

    def canBegin(self, data: bytes) -> bool:
        """
        Return whether a reply that equals its probe can begin with this data.

        @param data: 1 to L{PROBE_SIZE} bytes of a stream, from the start of a reply.
        """
        prefix = self._nonce + b"-"
        digits = data[len(prefix) : _ID_SIZE]
        if data[: len(prefix)] != prefix[: len(data)] or digits.strip(b"0123456789"):
            return False
        # The lowest number with these digits: numbers have leading zeros.
        if int(digits.ljust(_ID_SIZE - len(prefix), b"0")) >= self.sent:
            return False
        return len(data) < _ID_SIZE or _padded(data[:_ID_SIZE]).startswith(data)

    def discardSentAfter(self, time: float) -> None:
        """
        Uncount the outstanding probes sent after this time: their timeout has not passed. If no probe has ever
        returned, keep them, so that they count as lost.
        """
        if not self.returned:
            return
        recent = [
            probeId for probeId, sentAt in self._sentAt.items() if sentAt > time and probeId not in self._corruptedIds
        ]
        self.sent -= len(recent)
        for probeId in recent:
            del self._sentAt[probeId]

    @property
    def outstanding(self) -> int:
        """
        The number of sent probes without any reply so far.
        """
        return len(self._sentAt) - len(self._corruptedIds)

    @property
    def lost(self) -> int:
        """
        The number of probes without any reply, unsent ones included.
        """
        return self.sent - self.returned - len(self._corruptedIds)

    @property
    def verdict(self) -> Verdict:
        """
        The verdict on the whole ping: the most severe that applies.
        """
        if self.lost and self.lastFailure is not None:
            return self.lastFailure.verdict
        if self.corrupt:
            return Verdict.CORRUPT
        if self.wrongSourceCount:
            return Verdict.WRONG_SOURCE
        return self.silenceVerdict if self.lost else Verdict.OK


def _padded(probeId: bytes) -> bytes:
    # The padding is a function of the identifier, so that replies can be compared without storing the probes.
    return probeId + blake2b(probeId, digest_size=PROBE_SIZE).hexdigest().upper().encode()[: PROBE_SIZE - _ID_SIZE]

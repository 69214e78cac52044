"""
What passed between a client and a server, as a script that replays the server's side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sockservices.scripting.script_bytes import toToml

__all__ = ["MAX_RECORDED", "DatagramRecording", "Recording", "StreamRecording"]

#: The most bytes that a recording keeps.
MAX_RECORDED = 2**24

#: The order in which the keys of one step take effect.
ORDER = {"expect": 0, "expect-end": 0, "wait": 1, "send": 2, "finish": 3, "reset": 3}


class Recording:
    """
    One conversation.

    @ivar omitted: how many bytes came after L{MAX_RECORDED}.
    """

    def __init__(self, seconds: Callable[[], float], timing: bool) -> None:
        """
        @param seconds: the clock.
        @param timing: whether the script waits as long as the server did.
        """
        self._seconds = seconds
        self._timing = timing
        self._lastEvent = seconds()
        self._length = self.omitted = 0

    def add(self, key: str, data: bytes | None = None) -> None:
        """
        Record an event.

        @param key: C{"expect"} for bytes of the client, C{"send"} for bytes of the server, C{"expect-end"} and
            C{"finish"} for their FINs, C{"reset"} for a reset by the server.
        """
        now = self._seconds()
        waited, self._lastEvent = round(now - self._lastEvent, 3), now
        self._length += len(data or b"")
        if self._length > MAX_RECORDED:
            self.omitted += len(data or b"")
            return
        self._add(key, True if data is None else data, waited if self._timing else 0.0)

    def _add(self, key: str, value: bytes | bool, waited: float) -> None:
        raise NotImplementedError

    def toToml(self) -> str:
        """
        Write the script; C{""} if nothing was recorded.
        """
        raise NotImplementedError


class StreamRecording(Recording):
    """
    A connection, as steps.
    """

    def __init__(self, seconds: Callable[[], float], timing: bool) -> None:
        super().__init__(seconds, timing)
        self._steps: list[dict[str, Any]] = []

    def _add(self, key: str, value: bytes | bool, waited: float) -> None:
        if waited and not key.startswith("expect"):
            self._append("wait", waited)
        self._append(key, bytearray(value) if isinstance(value, bytes) else value)

    def _append(self, key: str, value: Any) -> None:
        latest = next(reversed(self._steps[-1])) if self._steps else "reset"
        if key == latest and isinstance(value, bytearray):
            self._steps[-1][key] += value
        elif ORDER[key] > ORDER[latest]:
            self._steps[-1][key] = value
        else:
            self._steps.append({key: value})

    def toToml(self) -> str:
        """
        Write the steps.
        """
        return "".join(_table("step", step) for step in self._steps)


class DatagramRecording(Recording):
    """
    Datagrams, as rules. A reply belongs to the last datagram of the client. A further reply to the same one is omitted:
    a script sends one.
    """

    def __init__(self, seconds: Callable[[], float], timing: bool) -> None:
        super().__init__(seconds, timing)
        self._replies: dict[bytes, list[dict[str, Any]]] = {}
        self._reply: dict[str, Any] | None = None

    def _add(self, key: str, value: bytes | bool, waited: float) -> None:
        assert isinstance(value, bytes)
        if key == "expect":
            self._reply = {}
            self._replies.setdefault(value, []).append(self._reply)
        elif self._reply is None or "send" in self._reply:
            self.omitted += len(value)
        else:
            self._reply.update({"wait": waited} if waited else {}, send=value)

    def toToml(self) -> str:
        """
        Write the rules. If the replies to a datagram differ, each one is sent as often as it came in a row, and the
        last one from then on.
        """
        rules = []
        for request, replies in self._replies.items():
            runs: list[dict[str, Any]] = []
            for reply in replies:
                if runs and runs[-1].get("send") == reply.get("send"):
                    runs[-1]["times"] += 1
                else:
                    runs.append({"expect": request, "times": 1, **reply})
            del runs[-1]["times"]
            rules += runs
        return 'framing = "datagram"\n\n' + "".join(_table("rule", rule) for rule in rules) if rules else ""


def _table(kind: str, values: Mapping[str, Any]) -> str:
    lines = [f"[[{kind}]]"]
    for key, value in values.items():
        if isinstance(value, (bytes, bytearray)):
            lines.append(f"{key} = {toToml(bytes(value))}")
        else:
            lines.append(f"{key} = {'true' if value is True else value}")
    return "\n".join(lines) + "\n\n"

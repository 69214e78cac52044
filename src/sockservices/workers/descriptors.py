"""
The descriptors and the words that a worker and its supervisor share.
"""

from __future__ import annotations

__all__ = ["ABORT", "COMMANDS", "COUNTERS", "JOURNAL", "MESSAGES", "RETIRE", "SOCKETS", "STOP"]

#: The pipe on which a worker reads commands: words with a space after each. Its end is the end of the supervisor.
COMMANDS = 0

#: The pipe to which a worker writes one JSON object a line: log lines, and its state.
MESSAGES = 3

#: The memory of the counters that all workers share.
COUNTERS = 4

#: The file of --journal, if there is one.
JOURNAL = 5

#: The first of the sockets.
SOCKETS = 6

#: Stop listening, and end when the last connection has ended.
RETIRE = b"retire"

#: Stop within the drain.
STOP = b"stop"

#: Reset all connections, and stop.
ABORT = b"abort"

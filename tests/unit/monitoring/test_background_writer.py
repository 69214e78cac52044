"""
Log lines that a thread writes.
"""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.monitoring.background_writer import BackgroundWriter


class BackgroundWriterTests(SynchronousTestCase):
    """
    L{BackgroundWriter} over a pipe.
    """

    def setUp(self) -> None:
        """
        Make the pipe and the writer.
        """
        self.reader, self.pipe = os.pipe()
        self.addCleanup(os.close, self.reader)
        self.addCleanup(os.close, self.pipe)
        self.reactor = MemoryReactorClock()
        self.writer = self.makeWriter()
        self.received = ""

    def makeWriter(self, *timeout: float) -> BackgroundWriter:
        """
        Make a writer that starts with the reactor.
        """
        writer = BackgroundWriter(self.pipe, "{} dropped\n".format, *timeout)
        writer.runWith(self.reactor)
        return writer

    def stop(self) -> None:
        """
        Stop the reactor.
        """
        for call, args, kwargs in self.reactor.triggers["after"]["shutdown"]:
            call(*args, **kwargs)

    def readUntil(self, pattern: str) -> None:
        """
        Read until the pattern has been received.
        """
        while not re.search(pattern, self.received):
            self.received += os.read(self.reader, 65536).decode()

    def test_whileTheReactorDoesNotRun(self) -> None:
        """
        Before the reactor runs, and after it has stopped, a line is in the pipe when C{write} returns.
        """
        self.writer.write("before\n")
        self.assertEqual(os.read(self.reader, 100), b"before\n")
        self.reactor.run()
        self.writer.write("while\n")
        self.stop()
        self.writer.write("after\n")
        self.assertEqual(os.read(self.reader, 100), b"while\nafter\n")

    def test_noThread(self) -> None:
        """
        When no thread can be started, a line is in the pipe when C{write} returns.
        """
        self.addCleanup(threading.stack_size, threading.stack_size(1 << 46))
        self.reactor.run()
        self.writer.write("while\n")
        os.set_blocking(self.reader, False)
        self.assertEqual(os.read(self.reader, 100), b"while\n")

    def test_order(self) -> None:
        """
        Lines arrive in their order, those from before the start first. Characters that cannot be encoded are escaped.
        """
        lines = [*(f"{number}\n" for number in range(1000)), "\udcff\n"]
        self.writer.write(lines[0])
        self.reactor.run()
        for line in lines[1:]:
            self.writer.write(line)
            self.writer.flush()
        self.readUntil("udcff\n")
        self.assertEqual(self.received, "".join(lines).replace("\udcff", "\\udcff"))

    def test_stalledReader(self) -> None:
        """
        Without a reader the queue holds 256 KiB, besides the bytes in the pipe. Later lines are dropped and counted.
        Only the first of them waits, for 50 ms.
        """
        self.reactor.run()
        startedAt = time.monotonic()
        for number in range(10000):
            self.writer.write(f"{number}".zfill(99) + "\n")
        self.assertLess(time.monotonic() - startedAt, 1)
        self.readUntil("dropped\n")
        self.writer.write("later\n")
        self.readUntil("later\n")
        *written, dropped, later = self.received.splitlines()
        self.assertEqual([int(line) for line in written], list(range(len(written))))
        self.assertEqual((dropped, later), (f"{10000 - len(written)} dropped", "later"))
        self.assertTrue(2600 < len(written) < 3400, len(written))

    def test_fastReader(self) -> None:
        """
        No line is dropped for a reader that reads all the time, however fast the lines come.
        """
        writer = self.makeWriter(60.0)
        reading = threading.Thread(target=self.readUntil, args=["last"])
        reading.start()
        self.reactor.run()
        for number in range(20000):
            writer.write(f"{number}".ljust(99) + "\n")
        writer.write("last")
        reading.join()
        self.assertEqual([int(line) for line in self.received.splitlines()[:-1]], list(range(20000)))

    def test_nonBlockingPipe(self) -> None:
        """
        Lines wait for the reader also when another process has set O_NONBLOCK on the pipe.
        """
        os.set_blocking(self.pipe, False)
        self.reactor.run()
        self.writer.write("x" * 200000 + "\n")
        self.readUntil("\n")
        self.assertEqual(len(self.received), 200001)

    def test_closedReader(self) -> None:
        """
        Lines for a closed reader raise nothing. Their number is written to the next reader.
        """
        path = Path(self.enterContext(TemporaryDirectory())) / "fifo"
        os.mkfifo(path)

        def openAs(descriptor: int, flags: int) -> None:
            opened = os.open(path, flags)
            os.dup2(opened, descriptor)
            os.close(opened)

        openAs(self.reader, os.O_RDONLY | os.O_NONBLOCK)
        openAs(self.pipe, os.O_WRONLY)
        self.reactor.run()
        os.dup2(self.pipe, self.reader)  # This closes the only reader of the FIFO.
        for _ in range(3):
            self.writer.write("lost\n")
        self.stop()
        openAs(self.reader, os.O_RDONLY | os.O_NONBLOCK)
        self.writer.write("next\n")
        self.assertEqual(os.read(self.reader, 100), b"next\n3 dropped\n")

    def test_stopWithStalledReader(self) -> None:
        """
        A stalled reader delays the end of the process by a second, however many lines are still written.
        """
        self.reactor.run()
        for _ in range(5):
            self.writer.write("x" * 50000)
        startedAt = time.monotonic()
        self.stop()
        for _ in range(5):
            self.writer.write("x" * 50000)
        self.assertTrue(0.9 < time.monotonic() - startedAt < 1.9)
        self.readUntil("dropped")

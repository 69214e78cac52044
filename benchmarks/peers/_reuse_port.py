"""
Worker processes that serve one port, each with a socket of its own.
"""

from __future__ import annotations

import os
import signal
import socket

from benchmarks.peers import HOST, endWithParent, reportPort

__all__ = ["startWorkers"]


def openSocket(service: str, port: int) -> socket.socket:
    """
    Open a socket with C{SO_REUSEPORT}.

    @param port: 0 is any free port.
    """
    if service != "udp":
        return socket.create_server((HOST, port), backlog=1024, reuse_port=True)
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind((HOST, port))
    return opened


def startWorkers(service: str, workers: int) -> socket.socket:
    """
    Open the sockets of all workers, and report their port. If there are several workers, fork them: the function
    returns in each worker, and the parent waits until it is killed.

    @return: the socket of this worker.
    """
    first = openSocket(service, 0)
    port = first.getsockname()[1]
    sockets = [first, *(openSocket(service, port) for _ in range(workers - 1))]
    for each in sockets if workers > 1 else ():
        if not os.fork():
            endWithParent()
            return each
    reportPort(port)
    while workers > 1:
        signal.pause()
    return first

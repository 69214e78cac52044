"""
socketserver of the standard library: a thread for every connection.
"""

from __future__ import annotations

import socketserver
from pathlib import Path

from benchmarks.peers import HOST, WELCOME, ready

SERVICES = {"tcp", "udp", "welcome"}
UNFIT = {"idle": "a thread for every connection"}


class Server(socketserver.ThreadingTCPServer):
    """
    The threading server, with as long a queue as the others have.
    """

    request_queue_size = 1024
    daemon_threads = True


class Echo(socketserver.BaseRequestHandler):
    """
    Gives back every byte.
    """

    def handle(self) -> None:
        """
        One connection.
        """
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Welcome(socketserver.BaseRequestHandler):
    """
    Says its words, and hangs up.
    """

    def handle(self) -> None:
        """
        One connection.
        """
        self.request.recv(65536)
        self.request.sendall(WELCOME)


class EchoDatagram(socketserver.BaseRequestHandler):
    """
    Gives back a datagram.
    """

    def handle(self) -> None:
        """
        One datagram.
        """
        data, port = self.request
        port.sendto(data, self.client_address)


def serve(service: str, folder: Path) -> None:
    """
    Serve. Datagrams have no thread of their own.
    """
    server: socketserver.BaseServer
    if service == "udp":
        server = socketserver.UDPServer((HOST, 0), EchoDatagram)
    else:
        server = Server((HOST, 0), Welcome if service == "welcome" else Echo)
    ready(server.server_address[1])
    server.serve_forever()

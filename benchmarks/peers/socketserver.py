"""
socketserver of the standard library: a thread per connection.
"""

from __future__ import annotations

import socketserver
from pathlib import Path

from benchmarks.peers import HOST, WELCOME, reportPort

SERVICES = {"tcp", "udp", "welcome"}
EXCLUDED = {"idle": "a thread per connection"}


class Server(socketserver.ThreadingTCPServer):
    """
    A threading server with the same listen backlog as the others.
    """

    request_queue_size = 1024
    daemon_threads = True


class Echo(socketserver.BaseRequestHandler):
    """
    Sends back every byte.
    """

    def handle(self) -> None:
        """
        Serve one connection.
        """
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Welcome(socketserver.BaseRequestHandler):
    """
    Sends the reply, and closes.
    """

    def handle(self) -> None:
        """
        Serve one connection.
        """
        self.request.recv(65536)
        self.request.sendall(WELCOME)


class EchoDatagram(socketserver.BaseRequestHandler):
    """
    Sends back a datagram.
    """

    def handle(self) -> None:
        """
        Serve one datagram.
        """
        data, port = self.request
        port.sendto(data, self.client_address)


def serve(service: str, folder: Path) -> None:
    """
    Serve. Datagrams are served in one thread.
    """
    server: socketserver.BaseServer
    if service == "udp":
        server = socketserver.UDPServer((HOST, 0), EchoDatagram)
    else:
        server = Server((HOST, 0), Welcome if service == "welcome" else Echo)
    reportPort(server.server_address[1])
    server.serve_forever()

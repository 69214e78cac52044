"""
The rules that decide whether a datagram is answered.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Container
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockservices import Census, Outcome, Policy
from sockservices.admission.datagram_rules import datagramSource, inode, unixDropReason

#: A host on another network.
REMOTE = "192.0.2.7"

HOSTS = st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)).map(str)


def dropReason(host: str, port: int, destination: str | None, own: Container[int | None]) -> Outcome | None:
    """
    Why a datagram is not answered.
    """
    return datagramSource((host, port), destination, Census(), Policy()).dropReason(own)


def test_ports() -> None:
    """
    Port 0 means that the sender expects no reply (RFC 768). Services that may answer back use the ports
    below 1024, and 2049 (NFS). Other ports are answered.
    """
    reasons = {port: dropReason(REMOTE, port, None, ()) for port in range(65536)}
    assert reasons[0] is Outcome.NO_PORT
    assert {port for port in reasons if reasons[port] is Outcome.PRIVILEGED} == {*range(1, 1024), 2049}
    assert {port for port in reasons if reasons[port] is None} == {*range(1024, 65536)} - {2049}


@pytest.mark.parametrize("host", [REMOTE, "127.0.0.1", "::1", "2001:db8::1"])
def test_ownPorts(host: str) -> None:
    """
    The server's own ports are not answered, for any source address. For port 0 and privileged ports, that reason
    is recorded instead.
    """
    own = {0, 7, 8007, 8019}
    reasons = [dropReason(host, port, None, own) for port in (8007, 8019, 8009, 0, 7)]
    assert reasons == [Outcome.OWN_PORT, Outcome.OWN_PORT, None, Outcome.NO_PORT, Outcome.PRIVILEGED]


@pytest.mark.parametrize(
    ("host", "destination", "reason"),
    [
        # A source that a single host can have is answered.
        *((host, None, None) for host in (REMOTE, "10.0.0.1", "2001:db8::1", "fe80::1%2", f"::ffff:{REMOTE}")),
        *((host, None, Outcome.BAD_SOURCE) for host in ("0.1.2.3", "224.0.0.1", "::ffff:255.255.255.255", "::")),
        *((host, None, Outcome.BAD_SOURCE) for host in ("ff0e::1%2", "100::1", "4000::1", "64:ff9b::e000:1")),
        # A loopback source is answered only on the loopback interface; from another one it is forged.
        *(
            (host, destination, None)
            for host in ("127.0.0.1", "127.9.9.9", "::1")
            for destination in ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", None)
        ),
        ("127.9.9.9", REMOTE, Outcome.BAD_SOURCE),
        ("::1", "2001:db8::1", Outcome.BAD_SOURCE),
        ("::ffff:127.0.0.1", REMOTE, Outcome.BAD_SOURCE),
        (REMOTE, "127.0.0.1", None),
        # A datagram to more than one host is not answered.
        *((REMOTE, destination, None) for destination in ("192.0.2.1", "2001:db8::2", "fe80::1")),
        *((REMOTE, destination, Outcome.BROADCAST) for destination in ("255.255.255.255", "224.0.0.1", "0.0.0.0")),
        *((REMOTE, destination, Outcome.BROADCAST) for destination in ("::ffff:224.0.0.1", "ff02::1")),
    ],
)
def test_addresses(host: str, destination: str | None, reason: Outcome | None) -> None:
    """
    A datagram is answered if its source and its destination are single hosts.
    """
    assert dropReason(host, 40000, destination, ()) is reason


@settings(deadline=None)
@given(host=HOSTS, port=st.integers(0, 65535), destination=st.none() | HOSTS, own=st.sets(st.integers(0, 65535)))
def test_anyDatagram(host: str, port: int, destination: str | None, own: set[int]) -> None:
    """
    No datagram raises. A datagram that is answered has a source that is neither a privileged port, nor a port of the
    server, nor a multicast address.
    """
    if dropReason(host, port, destination, own) is None:
        assert port not in own
        assert port >= 1024
        assert port != 2049
        assert not ip_address(host).is_multicast


@pytest.fixture
def peer(tmp_path: Path) -> str:
    """
    The path of a client's socket.
    """
    return bound(tmp_path / "peer")


def bound(path: Path) -> str:
    """
    Bind a Unix datagram socket to a path; the file stays when the socket is closed.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.bind(str(path))
    return str(path)


def test_unixSources(peer: str, tmp_path: Path) -> None:
    """
    A source is answered at a full path that bind(2) has made, at an abstract name, and at a path without a file, which
    the kernel rejects. A relative path is not answered: in the server's working directory it can be another socket.
    """
    for path in (peer, peer.encode(), b"\0name", "\0name", str(tmp_path / "gone"), f"{peer}/below"):
        assert unixDropReason(path, ()) is None, path
    for path in ("peer", b"peer", "./peer", "../peer", "\udcff"):
        assert unixDropReason(path, ()) is Outcome.BAD_SOURCE, path


def test_unixSourceReplaced(peer: str, tmp_path: Path) -> None:
    """
    A file that bind(2) has not made is not answered: it may lead to the socket of another server.
    """
    link, file, hardLink = (tmp_path / name for name in ("link", "file", "hard"))
    link.symlink_to(peer)
    file.touch()
    for path in (link, file, tmp_path):
        assert unixDropReason(str(path), ()) is Outcome.BAD_SOURCE, path
    hardLink.hardlink_to(peer)
    assert [unixDropReason(path, ()) for path in (str(hardLink), peer)] == [Outcome.BAD_SOURCE] * 2


def test_ownSockets(peer: str, tmp_path: Path) -> None:
    """
    The server's own socket is not answered, for any path to its folder. Without a file there is no inode.
    """
    assert [inode(path) for path in (None, "", b"", b"\0name", "/nowhere/at all", "/nul\0")] == [None] * 6
    (tmp_path / "folder").symlink_to(tmp_path)
    status = os.stat(peer)  # noqa: PTH116
    own = {(status.st_dev, status.st_ino)}
    other = bound(tmp_path / "other")
    assert {inode(peer), inode(peer.encode()), inode(f"{tmp_path}/folder/peer")} == own
    assert [unixDropReason(path, own) for path in (peer, f"{tmp_path}/folder/peer")] == [Outcome.OWN_PORT] * 2
    assert unixDropReason(other, own) is None

import socket
import struct

import pytest

from jeos.measure.peer import LOOPBACK, Peer

MEBIBYTE = 1 << 20


def connected(peer: Peer) -> socket.socket:
    return socket.create_connection((LOOPBACK, peer.port), timeout=60)


def order(kind: bytes, count: int) -> bytes:
    return struct.pack("<cQ", kind, count)


def test_peer_follows_one_order_after_another() -> None:
    with Peer() as peer, connected(peer) as line:
        line.sendall(order(b"e", 2))
        for byte in (b"x", b"y"):
            line.sendall(byte)
            assert line.recv(1) == byte
        line.sendall(order(b"s", 2) + bytes(2 * MEBIBYTE))
        assert line.recv(1) == b"k"
        line.sendall(order(b"r", 1))
        with line.makefile("rb") as stream:
            assert len(stream.read(MEBIBYTE)) == MEBIBYTE
        line.sendall(order(b"e", 1) + b"z")
        assert line.recv(1) == b"z"


def test_peer_hangs_up_on_who_asks_for_something_else() -> None:
    with Peer() as peer, connected(peer) as line:
        line.sendall(order(b"?", 1))
        assert line.recv(1) == b""


def test_peer_is_gone_after_its_block() -> None:
    with Peer() as peer:
        pass
    with pytest.raises(OSError, match="refused"):
        connected(peer)

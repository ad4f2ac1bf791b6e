"""The other end of the network measurements: a TCP server on the host that the measuring program connects to.

with Peer() as peer:
    peer.port

An order is a letter and a count of 8 bytes, little-endian (probe/network.lua): "e" sends one byte back, `count` times;
"s" takes `count` MiB and then says one byte; "r" sends `count` MiB.
"""

import socket
import struct
import threading
from types import TracebackType
from typing import Self

ORDER = struct.Struct("<cQ")
MEBIBYTE = 1 << 20
LOOPBACK = "127.0.0.1"


class Peer:
    """A server on a free port of the loopback device, for as long as the block lasts."""

    def __init__(self) -> None:
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # which ends a waiting accept
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    """Follow a client's orders until it goes, or says something else."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = memoryview(bytearray(MEBIBYTE))
    with connection:
        try:
            while order := connection.recv(ORDER.size, socket.MSG_WAITALL):
                kind, count = ORDER.unpack(order)
                if kind == b"e":
                    for _ in range(count):
                        _echo(connection)
                elif kind == b"s":
                    _take(connection, data, size=count * MEBIBYTE)
                    connection.send(b"k")
                elif kind == b"r":
                    for _ in range(count):
                        connection.sendall(data)
                else:
                    return
        except (OSError, struct.error):
            return


def _echo(connection: socket.socket) -> None:
    byte = connection.recv(1)
    if not byte:
        raise ConnectionError("the client went")
    connection.send(byte)


def _take(connection: socket.socket, data: memoryview, *, size: int) -> None:
    while size:
        got = connection.recv_into(data[: min(size, MEBIBYTE)])
        if not got:
            raise ConnectionError("the client went")
        size -= got

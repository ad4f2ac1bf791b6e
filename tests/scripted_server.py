"""A web server that answers as a test wants: properly, or as no server should."""

import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Asked:
    """A request: its path and headers, in lower case."""

    path: str
    headers: dict[str, str]


@dataclass
class Server:
    """A server; `answer(request, connection)` sends whatever it likes and returns whether to keep the connection."""

    answer: Callable[[Asked, socket.socket], bool]
    address: str = ""
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def serve(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    data += piece
                head, _, data = data.partition(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                request = Asked(first.split(" ")[1], headers)
                self.asked.append(request)
                if not self.answer(request, connection):
                    return


@contextmanager
def serving(answer: Callable[[Asked, socket.socket], bool]) -> Iterator[Server]:
    """Serve on a port of this machine during the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(answer, port=listening.getsockname()[1])
        server.address = f"http://127.0.0.1:{server.port}/hello"
        threading.Thread(target=server.serve, args=(listening,), daemon=True).start()
        yield server
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def head(status: str, **headers: object) -> bytes:
    """Return the head of an answer."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode()


def drip(connection: socket.socket, data: bytes, *, pause: float) -> None:
    """Send data a byte at a time."""
    for number in range(len(data)):
        connection.sendall(data[number : number + 1])
        time.sleep(pause)


def static(files: dict[str, bytes]) -> Callable[[Asked, socket.socket], bool]:
    """Return how a proper server of these files answers: with validators and ranges."""

    def answer(asked: Asked, connection: socket.socket) -> bool:
        data = files.get(asked.path.removeprefix("/hello/"))
        if data is None:
            connection.sendall(head("404 Not Found", Content_Length=4) + b"gone")
            return True
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if asked.headers.get("if-none-match") == tag:
            connection.sendall(head("304 Not Modified", ETag=tag))
        elif wanted and asked.headers.get("if-range", tag) == tag:
            begin, end = int(wanted[1]), min(int(wanted[2]) + 1, len(data))
            if begin >= len(data):
                connection.sendall(head("416 Range Not Satisfiable", Content_Length=0))
                return True
            span = f"bytes {begin}-{end - 1}/{len(data)}"
            connection.sendall(head("206 Partial Content", ETag=tag, Content_Range=span, Content_Length=end - begin))
            connection.sendall(data[begin:end])
        else:
            connection.sendall(head("200 OK", ETag=tag, Content_Length=len(data)) + data)
        return True

    return answer

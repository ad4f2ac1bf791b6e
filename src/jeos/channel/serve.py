"""Serve a channel's folder over HTTP, for trials and labs; on the internet any web server does it.

    with serving(Path("channel")) as address:
        …                                        # "http://127.0.0.1:40123"

It speaks what update clients use: GET and HEAD, one range, If-None-Match, If-Range, connections that stay open. Names
that start with a dot, folders and all outside of the channel are not there. Source: RFC 9110, sections 13 and 14.
"""

import os
import re
import socket
import stat
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from jeos.channel import layout
from jeos.core import log
from jeos.core.errors import HostError, InputError
from jeos.core.terminal import plain
from jeos.store.places.place import check_name

IDLE = 30.0  # seconds after which a silent connection is closed
_RANGE = re.compile(r"bytes=(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))")


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of a file that are asked for: `end` is one after the last."""

    start: int
    end: int


def part_of(header: str, *, size: int) -> Part | None:
    """Return the part that a Range header asks for of `size` bytes; None for what is ignored: all is sent then.

    Raises ValueError if no byte of it is there.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:  # other units, several ranges: RFC 9110, 14.2 lets servers ignore them
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None  # no valid range (RFC 9110, 14.1.1)
    if start >= end:
        raise ValueError(f"{header} of {size} bytes")
    return Part(start=start, end=end)


def matches(header: str, tag: str) -> bool:
    """Tell whether an If-None-Match header names an entity tag, or all (RFC 9110, 13.1.2: compared weakly)."""
    return header.strip() == "*" or tag in (item.strip().removeprefix("W/") for item in header.split(","))


class Handler(BaseHTTPRequestHandler):
    """Answers requests for files of `folder`."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE
    server_version = "jeos"
    sys_version = ""
    folder: Path

    def do_GET(self) -> None:
        """Send a file, or a part of it."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send what GET would send before the file."""
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Tell of requests, where `--verbose` wants to know."""
        log.debug(plain(f"{self.address_string()} {format % args}"))

    def _answer(self, *, body: bool) -> None:
        opened = self._open()
        if opened is None:
            self._refuse(HTTPStatus.NOT_FOUND, cache="no-cache")
            return
        name, file = opened
        with file:
            state = os.fstat(file.fileno())
            tag = f'"{state.st_ino:x}-{state.st_mtime_ns:x}-{state.st_size:x}"'
            headers = {
                "ETag": tag,
                "Last-Modified": formatdate(state.st_mtime, usegmt=True),
                "Cache-Control": layout.cache_control(name),
                "Accept-Ranges": "bytes",
            }
            if matches(self.headers.get("If-None-Match", ""), tag):
                self._head(HTTPStatus.NOT_MODIFIED, headers)
                return
            headers["Content-Type"] = layout.content_type(name)
            try:
                part = self._part(tag, size=state.st_size)
            except ValueError:
                self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, extra=f"bytes */{state.st_size}")
                return
            self._send(file, part, headers=headers, size=state.st_size, body=body)

    def _open(self) -> tuple[str, BinaryIO] | None:
        """Return the name and the open file that the address stands for, if there is one."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).removeprefix("/")
        try:
            place = self.folder / check_name(path)
            if not place.resolve().is_relative_to(self.folder):  # by a link
                return None
            # Not to wait for a named pipe that lies in the folder.
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (InputError, OSError, ValueError):
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return path, os.fdopen(descriptor, "rb")

    def _part(self, tag: str, *, size: int) -> Part | None:
        header = self.headers.get("Range")
        if header is None or self.headers.get("If-Range", tag) != tag:
            return None
        return part_of(header, size=size)

    def _send(self, file: BinaryIO, part: Part | None, *, headers: dict[str, str], size: int, body: bool) -> None:
        whole = part or Part(start=0, end=size)
        headers["Content-Length"] = str(whole.end - whole.start)
        if part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{size}"
        self._head(HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT, headers)
        if not body or whole.end == whole.start:
            return
        sent = self.connection.sendfile(file, whole.start, whole.end - whole.start)
        if sent != whole.end - whole.start:  # it became shorter meanwhile: the client must notice
            self.close_connection = True

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def _refuse(self, status: HTTPStatus, *, extra: str = "", cache: str = "no-store") -> None:
        headers = {"Content-Length": "0", "Cache-Control": cache}
        self._head(status, headers | ({"Content-Range": extra} if extra else {}))


class Server(ThreadingHTTPServer):
    """The server; a thread for each connection."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go away."""
        log.debug(f"{client_address} went away")


class Server6(Server):
    """The same on IPv6."""

    address_family = socket.AF_INET6


def make_server(folder: Path, *, host: str = "127.0.0.1", port: int = 0) -> Server:
    """Return a server that listens already; port 0 takes a free one. Raises HostError if it cannot listen there."""
    handler = type("ChannelHandler", (Handler,), {"folder": folder.resolve()})
    try:
        return (Server6 if ":" in host else Server)((host, port), handler)
    except OSError as error:
        raise HostError(
            f"cannot listen on {host} port {port}: {error.strerror or error}", hint="choose another with --listen"
        ) from None


def address_of(server: Server) -> str:
    """Return the address under which a server answers."""
    host, port = server.server_address[:2]
    name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


@contextmanager
def serving(folder: Path, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve a channel in a thread of its own during the block; yield its address."""
    server = make_server(folder, host=host, port=port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield address_of(server)
    finally:
        with suppress(OSError):
            server.shutdown()
        server.server_close()
        thread.join()

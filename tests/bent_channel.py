"""A web server of channels that also serves the one called `main` bent: altered, withheld, endless, cut short, slow.

with serving(folder, port=8123):
    …       # http://127.0.0.1:8123/main/…              as it is
    …       # http://127.0.0.1:8123/alter-snapshot/…    the snapshot has other bytes, all else is as it is
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path

from jeos.channel import serve

MAIN = "main"
# What an appliance fetches, by its name in an address.
KINDS: Mapping[str, str] = {
    "root": r"metadata/2\.root\.json",
    "timestamp": r"metadata/timestamp\.json",
    "snapshot": r"metadata/\d+\.snapshot\.json",
    "targets": r"metadata/\d+\.targets\.json",
    "release": r"targets/releases/.+",
    "data": r"data/.+",
}
EVERY = 1000  # bytes, of which one is altered
ENDLESS = 1 << 30  # bytes; whoever takes as many has no limit
PIECE = bytes(1 << 16)


class BentHandler(serve.Handler):
    """Serves `folder/NAME/…`, and `HOW-WHAT/…` as `main/…` with one kind of file bent."""

    def do_GET(self) -> None:  # noqa: N802 (its name in http.server)
        """Send a file, or what an attacker would send in its place."""
        name, _, path = self.path.removeprefix("/").partition("/")
        how, _, what = name.partition("-")
        bend = BENT.get(how)
        if bend is not None and what in KINDS:
            self.path = f"/{MAIN}/{path}"
        if bend is None or not re.fullmatch(KINDS.get(what, ""), path):
            super().do_GET()
            return
        self.close_connection = True
        with suppress(OSError):  # the client had enough
            bend(self, self._content(path))

    def _content(self, path: str) -> bytes:
        """Return what is asked for; for the next root, which there is not, the one before."""
        place = self.folder / MAIN / path
        return (place if place.exists() else place.with_name("1.root.json")).read_bytes()

    def alter(self, data: bytes) -> None:
        """Send as many bytes, of which some are others."""
        bent = bytearray(data)
        for position in range(len(bent) // 2 % EVERY, len(bent), EVERY):
            bent[position] ^= 1
        self._whole(bytes(bent))

    def withhold(self, data: bytes) -> None:
        """Say that there is nothing."""
        self._refuse(HTTPStatus.NOT_FOUND)

    def endless(self, data: bytes) -> None:
        """Send the first half of the file, and then zeros for ever."""
        self._head(HTTPStatus.OK, {"Connection": "close"})
        self.wfile.write(data[: len(data) // 2])
        for _ in range(0, ENDLESS, len(PIECE)):
            self.wfile.write(PIECE)

    def cut(self, data: bytes) -> None:
        """Send the first half."""
        self._head(HTTPStatus.OK, {"Content-Length": str(len(data)), "Connection": "close"})
        self.wfile.write(data[: len(data) // 2])

    def trickle(self, data: bytes) -> None:
        """Send a byte a second."""
        self._head(HTTPStatus.OK, {"Content-Length": str(len(data)), "Connection": "close"})
        for byte in data:
            self.wfile.write(bytes([byte]))
            time.sleep(1)  # no wait for anything: this is the attack

    def _whole(self, data: bytes) -> None:
        """Send bytes, or the range of them that is asked for."""
        part = serve.part_of(self.headers.get("Range", ""), size=len(data))
        headers = {"Connection": "close"}
        if part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{len(data)}"
            data = data[part.start : part.end]
        headers["Content-Length"] = str(len(data))
        self._head(HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT, headers)
        self.wfile.write(data)


BENT: Mapping[str, Callable[[BentHandler, bytes], None]] = {
    "alter": BentHandler.alter,
    "withhold": BentHandler.withhold,
    "endless": BentHandler.endless,
    "cut": BentHandler.cut,
    "trickle": BentHandler.trickle,
}


@contextmanager
def serving(folder: Path, *, port: int) -> Iterator[None]:
    """Serve the channels in a folder during the block."""
    handler = type("OneBentHandler", (BentHandler,), {"folder": folder.resolve()})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()

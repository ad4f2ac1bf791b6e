"""A channel on a web server: HTTP/1.1 over the standard library's client (RFC 9110, RFC 9112).

Downloads go on where they were broken off (Range with If-Range), what fails in passing is tried again, and the one file
that changes under its name, the timestamp, is only sent again if it has changed (If-None-Match).
"""

import base64
import http.client
import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from jeos.core import files
from jeos.trust.client import Missing
from jeos.update.errors import RoomError
from jeos.update.fetch import PIECE, SYNC, FetchError, Limits, Line
from jeos.update.http_connection import Asker

CHANGING = "metadata/timestamp.json"
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be others soon (RFC 9110, RFC 6585)
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/(?:[0-9]{1,18}|\*)")
Result = TypeVar("Result")


class HttpChannel:
    """The channel at a web address; `memory` is a file that keeps the last timestamp with its validator."""

    def __init__(self, address: str, *, limits: Limits, line: Line, memory: str = "") -> None:
        self._address = address.rstrip("/") + "/"
        self._limits = limits
        self._memory = memory
        self._asker = Asker(limits=limits, line=line)
        self._tags: dict[str, str] = {}

    @property
    def bytes_moved(self) -> tuple[int, int]:
        """Return the bytes sent and received so far, headers included, but not what TCP and TLS add."""
        return self._asker.bytes_moved

    def get(self, path: str, *, limit: int) -> bytes:
        """Return a whole file of at most `limit` bytes."""
        known = self._recall() if path == CHANGING else None
        return self._try(lambda: self._get(path, limit=limit, known=known))

    def read(self, path: str, *, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes of a file from `offset` on."""
        return self._try(lambda: self._read(path, offset=offset, length=length))

    def save(self, path: str, descriptor: int, *, length: int) -> None:
        """Write a file of `length` bytes to a descriptor that may hold its beginning already."""
        self._try(lambda: self._save(path, descriptor, length=length), progress=lambda: os.fstat(descriptor).st_size)

    def close(self) -> None:
        """Close all connections."""
        self._asker.close()

    def _try(self, attempt: Callable[[], Result], *, progress: Callable[[], int] = lambda: 0) -> Result:
        """Try again what failed in passing; a try that brought something further does not count."""
        tries, before = 0, progress()
        while True:
            try:
                return attempt()
            except FetchError as error:
                now = progress()
                tries = 1 if now > before else tries + 1
                before = now
                if not error.again or tries >= self._limits.tries:
                    raise
            time.sleep(self._limits.pause * 2 ** (tries - 1))

    def _get(self, path: str, *, limit: int, known: tuple[str, bytes] | None) -> bytes:
        headers = {"If-None-Match": known[0]} if known else {}
        with self._asker.ask(self._address + path, headers, seconds=self._limits.whole) as answer:
            if answer.status == 304 and known:
                answer.read(0)
                return known[1]
            _expect(answer, path, 200)
            if answer.length is not None and answer.length > limit:
                raise FetchError(f"the server has {answer.length} bytes of {path}, more than the {limit} that it may")
            data = _take(answer, limit + 1)
            if len(data) > limit:
                raise FetchError(f"the server sends more than {limit} bytes of {path}")
            if answer.length:
                raise FetchError(f"{path} ended {answer.length} bytes too early", again=True)
            if path == CHANGING:
                self._remember(answer.headers.get("ETag", ""), data)
            return data

    def _read(self, path: str, *, offset: int, length: int) -> bytes:
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        with self._asker.ask(self._address + path, headers, length=offset + length) as answer:
            _expect(answer, path, 206, 200)
            if answer.status == 206:
                _check_range(answer, path, begin=offset, end=offset + length)
            else:  # a server that knows no ranges sends the whole file
                _skip(answer, offset)
            data = _take(answer, length)
            if len(data) != length:
                raise FetchError(f"{path} ended {length - len(data)} bytes too early", again=True)
            return data

    def _save(self, path: str, descriptor: int, *, length: int) -> None:
        """Fetch what is missing of a file."""
        begun = os.lseek(descriptor, 0, os.SEEK_END)
        headers = {"Range": f"bytes={begun}-{length - 1}"} if begun else {}
        if begun and path in self._tags:
            headers["If-Range"] = self._tags[path]
        with self._asker.ask(self._address + path, headers, length=length) as answer:
            if answer.status == 416:
                os.ftruncate(descriptor, 0)
                raise FetchError(f"the server has less of {path} than was there before", again=True)
            _expect(answer, path, 206, 200)
            if answer.status == 206:
                _check_range(answer, path, begin=begun, end=length)
            else:
                begun = 0
                os.ftruncate(descriptor, 0)
                os.lseek(descriptor, 0, os.SEEK_SET)
            if answer.length is not None and answer.length != length - begun:
                raise FetchError(f"the server has {begun + answer.length} bytes of {path}, not {length}")
            tag = answer.headers.get("ETag", "")
            if tag and not tag.startswith("W/"):  # a weak one does not promise the same bytes
                self._tags[path] = tag
            _copy(answer, descriptor, length - begun, path)

    def _recall(self) -> tuple[str, bytes] | None:
        """Return validator and body of the timestamp that this address sent last, or None."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            with open(self._memory, encoding="ascii") as file:
                known = json.load(file)
            if known["address"] == self._address and known["etag"]:
                return str(known["etag"]), base64.b64decode(known["body"])
        return None

    def _remember(self, tag: str, data: bytes) -> None:
        if self._memory and tag.isprintable():
            known = {"address": self._address, "etag": tag, "body": base64.b64encode(data).decode()}
            files.write(Path(self._memory), json.dumps(known))


def _expect(answer: http.client.HTTPResponse, path: str, *statuses: int) -> None:
    """Raise what a status says, unless it is one of those that are wanted."""
    if answer.status in statuses:
        return
    if answer.status in (404, 410):
        _skip(answer, PIECE)  # so that the connection can be used on
        raise Missing(f"the channel has no {path}", hint="is its address right, and was it copied whole?")
    reason = f"{answer.status} {answer.reason}"[:100]
    again = answer.status in PASSING
    raise FetchError(f"the server answered {reason!r} to {path}", hint="its owner can tell why", again=again)


def _check_range(answer: http.client.HTTPResponse, path: str, *, begin: int, end: int) -> None:
    said = answer.headers.get("Content-Range", "")
    match = CONTENT_RANGE.fullmatch(said)
    if match is None or (int(match[1]), int(match[2]) + 1) != (begin, end):
        raise FetchError(f"the server sent {said[:80]!r} of {path}, not bytes {begin} to {end - 1}")


def _take(answer: http.client.HTTPResponse, most: int) -> bytes:
    """Read up to `most` bytes; memory grows with what comes, not with what was promised."""
    parts, left = [], most
    while left and (piece := answer.read(min(PIECE, left))):
        parts.append(piece)
        left -= len(piece)
    return b"".join(parts)


def _skip(answer: http.client.HTTPResponse, most: int) -> None:
    while most and (piece := answer.read(min(PIECE, most))):
        most -= len(piece)


def _copy(answer: http.client.HTTPResponse, descriptor: int, length: int, path: str) -> None:
    """Write the body behind what a descriptor has, flushed to disk now and then; what came stays if the rest fails."""
    left, unsynced = length, 0
    while left:
        piece = answer.read(min(PIECE, left))
        if not piece:
            raise FetchError(f"{path} ended {left} bytes too early", again=True)
        _put(descriptor, piece)
        left -= len(piece)
        unsynced += len(piece)
        if unsynced >= SYNC:
            os.fdatasync(descriptor)
            unsynced = 0
    if answer.read(1):
        raise FetchError(f"the server sends more than the {length} bytes that {path} has left")


def _put(descriptor: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError as error:
        raise RoomError(f"a download cannot be written: {error.strerror}", hint="free some room in /var") from None

"""Get files of a channel: over HTTP, or from a folder or disk that somebody brought; everybody uses the same few calls.

    channel = open_channel("https://updates.example/hello", limits=Limits(), wishes=Line())
    channel.get("metadata/timestamp.json", limit=16 << 10)
    save(channel, release.patches[0].blob, "/var/lib/jeos/update/work/patch")

Nothing that comes is believed here: lengths are only kept to, and who asks checks the digests.
"""

import hashlib
import os
from dataclasses import dataclass
from typing import Protocol

from jeos.core.errors import InputError, NetworkError
from jeos.model.release import Blob

PIECE = 64 << 10  # bytes that are moved at once
SYNC = 8 << 20  # bytes that a power cut may cost of a download


class FetchError(NetworkError):
    """A file of the channel could not be had; `again` tells whether it may help to try again soon."""

    def __init__(self, message: str, *, hint: str = "", again: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.again = again


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may cost: seconds without an answer, for small files, and bytes a second of large ones.

    A server that answers always a little, for ever, would else hold an update up for good ("slow retrieval").
    """

    silence: float = 30.0  # without a byte
    whole: float = 120.0  # for a file that is held in memory, or one range of a pack
    slowest: float = 1000.0  # bytes a second, on average over `window`
    window: float = 60.0
    tries: int = 4  # of one file in one pass
    pause: float = 1.0  # before the second try; doubled before each further one


@dataclass(frozen=True, slots=True)
class Line:
    """How to use the line: the most bytes a second (0: all), a proxy ("" for the environment's), the certificates."""

    bandwidth: int = 0
    proxy: str = ""
    certificates: str = "/etc/ssl/certs/ca-certificates.crt"


class Channel(Protocol):
    """The files of a channel; paths are relative to its address. All raise Missing or another NetworkError."""

    def get(self, path: str, *, limit: int) -> bytes:
        """Return a whole file of at most `limit` bytes."""

    def read(self, path: str, *, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes of a file from `offset` on."""

    def save(self, path: str, descriptor: int, *, length: int) -> None:
        """Write a file of `length` bytes to a descriptor that may hold its beginning already; resumes after that."""

    def close(self) -> None:
        """Let go of connections."""


def open_channel(address: str, *, limits: Limits | None = None, line: Line | None = None, memory: str = "") -> Channel:
    """Return the channel at an address, or in the folder at a path; `memory` is a file for what servers said before.

    Raises InputError for an address of another kind.
    """
    scheme, found, rest = address.partition("://")
    if scheme in ("http", "https") and found:
        from jeos.update.fetch_http import HttpChannel  # brings the client, which folders do without

        return HttpChannel(address, limits=limits or Limits(), line=line or Line(), memory=memory)
    if (scheme == "file" and found and rest.startswith("/")) or not found:
        from jeos.update.fetch_folder import FolderChannel

        return FolderChannel(rest if found else address)
    raise InputError(f"{address} is no channel", hint="an address begins with http://, https:// or file:///")


def blob_path(blob: Blob) -> str:
    """Return the path of a blob in a channel."""
    return f"data/{blob.sha256[:2]}/{blob.sha256}"


def read_blob(channel: Channel, blob: Blob, offset: int, length: int) -> bytes:
    """Return a part of a blob. Nothing of it can be checked here: only whole blobs have a digest."""
    if offset < 0 or length < 0 or offset + length > blob.length:
        raise InputError(f"{length} bytes at {offset} are not in a blob of {blob.length}", hint="it was made wrongly")
    return channel.read(blob_path(blob), offset=offset, length=length) if length else b""


def save(channel: Channel, blob: Blob, place: str) -> None:
    """Download a blob to a file, going on where the last try was broken off, and check its digest.

    What does not hold is fetched once more from the start. Raises FetchError if it still does not.
    """
    for last in (False, True):
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            begun = os.fstat(descriptor).st_size
            if begun > blob.length:
                os.ftruncate(descriptor, 0)
            if begun != blob.length:
                channel.save(blob_path(blob), descriptor, length=blob.length)
                os.fsync(descriptor)
            if digest(descriptor) == blob.sha256:
                return
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
        if last or not begun:
            break
    raise FetchError(
        f"the channel's file {blob_path(blob)} does not have the SHA-256 that it is named by",
        hint="the channel is damaged or somebody changed it; its vendor can repair it with `jeos channel verify`",
    )


def digest(descriptor: int) -> str:
    """Return the SHA-256 of a whole file, in hexadecimal."""
    found = hashlib.sha256()
    offset = 0
    while piece := os.pread(descriptor, PIECE, offset):
        found.update(piece)
        offset += len(piece)
    return found.hexdigest()

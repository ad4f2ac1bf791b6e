"""Where a channel's files are kept: a folder, or an S3 bucket; both are used through the same few calls.

    backend = open_backend("s3://bucket/hello")
    backend.put_new("data/9c/9c1f…", path)           # False: it was there already
    with backend.lock():
        backend.put("metadata/timestamp.json", data, replaces=found.tag)

A file appears whole or not at all. Names are paths with "/" between their parts, relative to the channel.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jeos.core.errors import InputError, StoreError, UsageError

GET_LIMIT = 64 << 20  # bytes that one call brings into memory, unless told otherwise; blobs are read in ranges

# No name starts with a dot: these are the backends' own (locks, unfinished files).
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._^~+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._^~+-]*)*")


class MissingFileError(StoreError):
    """The channel does not have a file."""

    def __init__(self, name: str, *, where: str) -> None:
        super().__init__(
            f"{name} is not in the channel {where}", hint="`jeos channel verify` tells whether more is missing"
        )
        self.name = name


class ChangedFileError(StoreError):
    """A file of the channel is not what it was when it was read: somebody else wrote it meanwhile."""

    def __init__(self, name: str, *, where: str) -> None:
        super().__init__(
            f"somebody else changed {name} in the channel {where} meanwhile",
            hint="nothing was published; run the command again",
        )


class BusyChannelError(StoreError):
    """Somebody else is changing the channel."""

    def __init__(self, where: str, *, holder: str) -> None:
        super().__init__(
            f"the channel {where} is being changed by {holder}", hint="wait until that has ended, then try again"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a channel: its size in bytes, when it was written (seconds since 1970), and a tag of its content."""

    name: str
    size: int
    modified: float
    tag: str


class Reader(Protocol):
    """What looks at a channel's files."""

    @property
    def place(self) -> str:
        """Return where the channel is, for messages."""
        ...

    def stat(self, name: str) -> Found | None:
        """Return what is known of a file without reading it, or None if it is not there."""
        ...

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        """Return the bytes of a file from `offset` on, at most `limit` of them. Raises MissingFileError."""
        ...


class Backend(Reader, Protocol):
    """What keeps a channel's files."""

    def put_new(self, name: str, data: bytes | Path) -> bool:
        """Write a file that is never changed again; return False, and change nothing, if the name is taken."""
        ...

    def put(self, name: str, data: bytes, *, replaces: str | None = None) -> None:
        """Write a file at once, in place of what was there.

        With `replaces`, only if what is there still has that tag ("" for: nothing is there); else raises
        ChangedFileError.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield all files whose names start with `prefix`, in no particular order; `tag` may be empty."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file; nothing happens if it is not there."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Keep all others from changing the channel during the block. Raises BusyChannelError if somebody does."""
        ...


def check_name(name: str) -> str:
    """Return a file's name if it is one. Raises InputError if it could lead out of the channel."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name of a file in a channel")
    return name


def open_backend(address: str, *, create: bool = False) -> Backend:
    """Return the backend for a folder, or for "s3://BUCKET/PREFIX".

    Raises UsageError if the address is of another kind, or names no channel and `create` is false.
    """
    if address.startswith("s3://"):
        from jeos.channel.objects import ObjectBackend  # loads 16 MB that channels in folders do not need

        return ObjectBackend(address)
    if "://" in address:
        raise UsageError(
            f"a channel cannot be changed at {address}",
            hint="name the folder or the s3:// address that is served there",
        )
    from jeos.channel.folder import FolderBackend

    folder = Path(address)
    if not create and not folder.is_dir():
        raise UsageError(f"there is no channel at {folder}", hint="`jeos publish --channel DIR` makes one")
    return FolderBackend(folder)


def open_reader(address: str) -> Reader:
    """Return what reads the channel at an address: a folder, s3://…, or http(s)://… as everybody sees it."""
    if address.startswith(("http://", "https://")):
        from jeos.channel.web import WebReader

        return WebReader(address)
    return open_backend(address)

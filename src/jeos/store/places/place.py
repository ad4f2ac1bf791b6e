"""A place where files are kept by name, whatever it is made of: channels and vaults stand on these few calls.

    place = FolderPlace(Path("/srv/backups"))
    place.put_new("packs/9c/9c1f…", data)           # False: it was there already
    place.get("packs/9c/9c1f…", offset=4096, limit=512)

A file appears whole or not at all. Names are paths with "/" between their parts, relative to the place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from jeos.core.errors import InputError, StoreError

GET_LIMIT = 64 << 20  # bytes that one call brings into memory, unless told otherwise; blobs are read in ranges

# No name starts with a dot: these are the places' own (locks, unfinished files).
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._^~+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._^~+-]*)*")


class MissingFileError(StoreError):
    """A place does not have a file."""

    def __init__(self, name: str, *, where: str, hint: str = "") -> None:
        super().__init__(f"{name} is not in {where}", hint=hint)
        self.name = name


class ChangedFileError(StoreError):
    """A file is not what it was when it was read: somebody else wrote it meanwhile."""

    def __init__(self, name: str, *, where: str, hint: str = "run the command again") -> None:
        super().__init__(f"somebody else changed {name} in {where} meanwhile", hint=hint)


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a place: its size in bytes, when it was written (seconds since 1970), and a tag of its content."""

    name: str
    size: int
    modified: float
    tag: str


class Reader(Protocol):
    """What looks at files."""

    @property
    def place(self) -> str:
        """Return where the files are, for messages."""
        ...

    def stat(self, name: str) -> Found | None:
        """Return what is known of a file without reading it, or None if it is not there."""
        ...

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        """Return the bytes of a file from `offset` on, at most `limit` of them. Raises MissingFileError."""
        ...


@runtime_checkable
class Place(Reader, Protocol):
    """What keeps files."""

    def put_new(self, name: str, data: bytes | bytearray | memoryview | Path) -> bool:
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


def check_name(name: str) -> str:
    """Return a file's name if it is one. Raises InputError if it could lead out of the place."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name of a file")
    return name

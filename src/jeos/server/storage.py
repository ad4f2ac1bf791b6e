"""Where uploaded files are: by the digest of what is in them, so that the same file is kept once.

    digest = storage.put(data)
    with storage.open(digest) as file: …

Rows of the database name files by their digests and may come and go while others look at them. A file that no row
names is therefore removed only when nobody has put it for a while (`remove`): whoever puts it again makes it new.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from jeos.core import files

DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Storage(Protocol):
    """A place for files."""

    def put(self, data: bytes) -> str:
        """Keep a file and return its digest."""

    def open(self, digest: str) -> BinaryIO:
        """Open a file for reading, where one may seek. Raises FileNotFoundError."""

    def remove(self, digest: str, *, idle: float) -> bool:
        """Remove a file if nobody has put it for `idle` seconds; return whether it is gone now."""

    def idle(self, seconds: float) -> Iterator[str]:
        """Return the digests of the files that nobody has put for so many seconds."""


class Folder:
    """A folder, with the first two digits of the digests as folders within."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, data: bytes) -> str:
        """Keep a file and return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._place(digest)
        try:
            os.utime(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.write(path, data, mode=0o600)
        return digest

    def open(self, digest: str) -> BinaryIO:
        """Open a file for reading, where one may seek. Raises FileNotFoundError."""
        return self._place(digest).open("rb")

    def remove(self, digest: str, *, idle: float) -> bool:
        """Remove a file if nobody has put it for `idle` seconds; return whether it is gone now."""
        path = self._place(digest)
        aside = path.with_suffix(".leaving")
        try:
            path.rename(aside)  # from here on, who puts it writes it anew
        except FileNotFoundError:
            return True
        if time.time() - aside.stat().st_mtime < idle:
            aside.rename(path)
            return False
        aside.unlink()
        return True

    def idle(self, seconds: float) -> Iterator[str]:
        """Return the digests of the files that nobody has put for so many seconds."""
        newest = time.time() - seconds
        for left in self._path.glob("??/*.leaving"):  # of a process that died in `remove`
            left.rename(left.with_suffix(""))
        for path in sorted(self._path.glob("??/*")):
            if DIGEST.match(path.name) and path.stat().st_mtime < newest:
                yield path.name

    def _place(self, digest: str) -> Path:
        if not DIGEST.match(digest):
            raise FileNotFoundError(digest)
        return self._path / digest[:2] / digest

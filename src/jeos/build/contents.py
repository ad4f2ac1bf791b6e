"""The bytes behind a tree's digests: files of the configured root, and what the build wrote itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from jeos.model.tree import Entry, Kind


@dataclass(slots=True)
class Contents:
    """Where the content of each digest is: in a file, or here in memory."""

    paths: Mapping[str, Path] = field(default_factory=dict)
    made: dict[str, bytes] = field(default_factory=dict)

    def file(self, path: str, data: bytes, *, time: int, mode: int = 0o644) -> Entry:
        """Keep `data` and return the entry of a file of root's that holds it."""
        digest = sha256(data).hexdigest()
        self.made[digest] = data
        return Entry(path=path, kind=Kind.FILE, mode=mode, mtime=time, size=len(data), digest=digest)

    def where(self, entry: Entry) -> Path | bytes:
        """Return a file's content, or the path of a file that holds it."""
        made = self.made.get(entry.digest)
        return made if made is not None else self.paths[entry.digest]

    def read(self, entry: Entry) -> bytes:
        """Return a file's content."""
        found = self.where(entry)
        return found if isinstance(found, bytes) else found.read_bytes()

    def head(self, entry: Entry, *, size: int) -> bytes:
        """Return the first `size` bytes of a file."""
        found = self.where(entry)
        if isinstance(found, bytes):
            return found[:size]
        with found.open("rb") as file:
            return file.read(size)

"""A store in memory: for tests, and as a small cache in front of a slow store."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jeos.core.errors import StoreError
from jeos.store.base import READ_LIMIT, DamagedObjectError, MissingObjectError, as_expected, checked_digest, digest_of


class MemoryStore:
    """Objects in a dictionary; `objects` is open to tests that want to damage one."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def has(self, digest: str) -> bool:
        """Tell whether an object is there."""
        return checked_digest(digest) in self.objects

    def read(self, digest: str) -> bytes:
        """Return an object's bytes, checked."""
        data = self.objects.get(checked_digest(digest))
        if data is None:
            raise MissingObjectError(digest, where="memory")
        if len(data) > READ_LIMIT:
            raise StoreError(f"object {digest} is too large to read at once", hint="stream it")
        if digest_of(data) != digest:
            raise DamagedObjectError(digest, where="memory", reason="its bytes have another digest")
        return data

    def write(self, data: bytes) -> str:
        """Keep the bytes and return their digest."""
        digest = digest_of(data)
        self.objects.setdefault(digest, bytes(data))
        return digest

    def digests(self) -> Iterator[str]:
        """Yield the digest of each object once."""
        yield from list(self.objects)

    def delete(self, digest: str) -> None:
        """Drop an object; nothing happens if it is not there."""
        self.objects.pop(checked_digest(digest), None)

    def add(self, source: BinaryIO | Path, *, expected: str | None = None) -> str:
        """Keep all that a file or stream holds and return its digest; raises TrustError if another is `expected`."""
        data = source.read_bytes() if isinstance(source, Path) else source.read()
        digest = as_expected(hashlib.sha256(data).hexdigest(), expected=expected)
        self.objects[digest] = data
        return digest

    def stream(self, digest: str) -> Iterator[bytes]:
        """Yield an object's bytes, checked."""
        yield self.read(digest)

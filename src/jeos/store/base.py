"""What a store is: objects named by the SHA-256 of their (uncompressed) bytes, in lower-case hexadecimal.

`Store` is all that a backend must have. What only some can do is an interface of its own: `Deletes`, `Streams`,
`HasPaths`. Whoever needs one asks for it in its signature, so that mypy refuses a store that cannot do it.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from jeos.core.errors import StoreError, TrustError

# What one call may bring into memory. Chunks are at most 16 MiB, indexes and manifests a few MiB; larger objects
# are files, and files are streamed. A hostile server cannot make us allocate more than this.
READ_LIMIT = 256 << 20

_DIGEST = re.compile(r"[0-9a-f]{64}")


class MissingObjectError(StoreError):
    """The store does not have an object."""

    def __init__(
        self,
        digest: str,
        *,
        where: str,
        hint: str = "what needs it must be fetched or built again; `jeos store check` tells whether more is missing",
    ) -> None:
        super().__init__(f"object {digest} is not in {where}", hint=hint)
        self.digest = digest


class DamagedObjectError(StoreError):
    """An object's bytes do not have the digest that it is named by."""

    def __init__(
        self,
        digest: str,
        *,
        where: str,
        reason: str,
        hint: str = "run `jeos store check --repair`, then do again what failed; look at the disk's health too",
    ) -> None:
        super().__init__(f"object {digest} in {where} is damaged: {reason}", hint=hint)
        self.digest = digest


class Store(Protocol):
    """A set of objects, each read and written whole."""

    def has(self, digest: str) -> bool:
        """Tell whether an object is there, and keep it from being collected as unused for a while."""
        ...

    def read(self, digest: str) -> bytes:
        """Return an object's bytes, checked against the digest.

        Raises MissingObjectError, DamagedObjectError, and StoreError for objects beyond READ_LIMIT.
        """
        ...

    def write(self, data: bytes) -> str:
        """Keep the bytes and return their digest; writing what is there already does nothing."""
        ...

    def digests(self) -> Iterator[str]:
        """Yield the digest of each object once, in no order."""
        ...


class Deletes(Store, Protocol):
    """A store that can drop objects."""

    def delete(self, digest: str) -> None:
        """Drop an object; nothing happens if it is not there."""
        ...


class Streams(Store, Protocol):
    """A store that takes and gives objects piece by piece, so that their size does not matter."""

    def add(self, source: BinaryIO | Path, *, expected: str | None = None) -> str:
        """Keep all that a file or stream holds and return its digest.

        Raises TrustError if `expected` is given and the digest is another; nothing is kept then.
        """
        ...

    def stream(self, digest: str) -> Iterator[bytes]:
        """Yield an object's bytes piece by piece; raises DamagedObjectError at the end if they were wrong."""
        ...


class HasPaths(Store, Protocol):
    """A store whose objects can be given to programs as plain files."""

    def path(self, digest: str) -> Path:
        """Return the path of the object's bytes as a plain, read-only file."""
        ...


def digest_of(data: bytes | bytearray | memoryview) -> str:
    """Return the name of these bytes: their SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def checked_digest(digest: str) -> str:
    """Return `digest` if it is the name of an object; raises StoreError for anything else (such as `../x`)."""
    if not _DIGEST.fullmatch(digest):
        raise StoreError(f"not a SHA-256 digest: {digest[:80]!r}", hint="a digest is 64 digits, 0-9 and a-f")
    return digest


def object_name(digest: str) -> str:
    """Return where a backend made of names (a folder, a web server, a bucket) keeps an object: `ab/abcd…`."""
    return f"{checked_digest(digest)[:2]}/{digest}"


def as_expected(digest: str, *, expected: str | None) -> str:
    """Return `digest`; raises TrustError if another one was promised."""
    if expected is not None and digest != checked_digest(expected):
        raise TrustError(
            f"the content has the SHA-256 {digest}, but {expected} was promised",
            hint="it was changed or cut short on its way: fetch it again, from another mirror if it stays so",
        )
    return digest

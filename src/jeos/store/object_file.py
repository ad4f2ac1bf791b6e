"""One object as a file of a local store: which it is by its name, and whether its bytes are the right ones."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jeos.core.errors import StoreError
from jeos.store import codec
from jeos.store.base import READ_LIMIT, checked_digest
from jeos.store.codec import CodecError, Form

PIECE = 1 << 20  # bytes that are read or written at a time
HEADER = 18  # bytes: the longest header of a zstd frame


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A file under `objects`: which object it is, and in which form."""

    digest: str
    form: Form
    path: Path


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes: what the file takes on the disk, and what the object holds."""

    disk: int
    content: int


def parse(path: Path) -> ObjectFile | None:
    """Return what a file under `objects` is by its name, or None if it is foreign."""
    digest, dot, suffix = path.name.partition(".")
    try:
        form = Form(dot + suffix)
        checked_digest(digest)
    except (ValueError, StoreError):
        return None
    return ObjectFile(digest=digest, form=form, path=path) if path.parent.name == digest[:2] else None


def pieces(found: ObjectFile, file: BinaryIO) -> Iterator[bytes]:
    """Yield the object that `file`, opened, holds; raises CodecError, at the end, if it is another one or none."""
    hasher = hashlib.sha256()
    if found.form is Form.PLAIN:
        for piece in iter(lambda: file.read(PIECE), b""):
            hasher.update(piece)
            yield piece
    else:  # only what was written in one call is packed: it fits into memory
        data = codec.unpack(file.read(READ_LIMIT + 1), form=found.form, limit=READ_LIMIT)
        hasher.update(data)
        yield data
    if hasher.hexdigest() != found.digest:
        raise CodecError("its bytes have another digest")


def is_sound(found: ObjectFile) -> bool:
    """Tell whether the file holds what its name says; true too if it was collected meanwhile."""
    try:
        with found.path.open("rb") as file:
            for _ in pieces(found, file):
                pass
    except CodecError:
        return False
    except FileNotFoundError:
        return True
    return True


def sizes(found: ObjectFile) -> Sizes:
    """Return how large the object is; a packed one that cannot be read counts as its file. Raises FileNotFoundError."""
    state = found.path.stat()
    content = state.st_size
    if found.form is not Form.PLAIN:
        with found.path.open("rb") as file:
            try:
                content = codec.content_size(file.read(HEADER))
            except CodecError:
                content = state.st_size
    return Sizes(disk=state.st_blocks * 512, content=content)

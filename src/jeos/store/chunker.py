"""Cut a file into chunks of one length at absolute offsets, and keep them in a store.

    with disk.open("rb") as file:
        index = keep(file, store=store)
    digest = store.write(index.to_bytes())

Holes are skipped without reading them (lseek(2), SEEK_DATA and SEEK_HOLE), zeros are counted and not kept. The grid
starts at the file's first byte and never shifts: chunks of two versions of a disk line up.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from jeos.core.ahead import in_order
from jeos.core.errors import InputError
from jeos.model.index import CHUNK_LENGTH, ChunkIndex, from_digests
from jeos.store.base import Store

WORKERS = 2  # hashing and compressing leave the interpreter's lock; more gain little beside one reader
WINDOW = 16  # chunks that wait for a worker, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file on the chunk grid: the bytes of one chunk, or `count` chunks of zeros (`data` is empty)."""

    offset: int
    count: int
    data: bytes


def keep(
    file: BinaryIO,
    *,
    store: Store,
    chunk_length: int = CHUNK_LENGTH,
    workers: int = WORKERS,
    progress: Callable[[int], None] = lambda offset: None,
) -> ChunkIndex:
    """Write all chunks of a file to a store and return the file's index.

    The file must be seekable; block devices will do. `progress` is told how many bytes are behind us.
    Raises InputError if the file becomes shorter meanwhile.
    """
    size = file.seek(0, os.SEEK_END)

    def digests() -> Iterator[tuple[str | None, int]]:
        def asked() -> Iterator[Piece]:
            for piece in cut(file, size=size, chunk_length=chunk_length):
                yield piece
                progress(piece.offset)

        def write(piece: Piece) -> tuple[str | None, int]:
            return store.write(piece.data) if piece.data else None, piece.count

        with closing(in_order(asked(), write, threads=workers, most=WINDOW)) as written:
            yield from written

    return from_digests(digests(), size=size, chunk_length=chunk_length)


def cut(file: BinaryIO, *, size: int, chunk_length: int = CHUNK_LENGTH) -> Iterator[Piece]:
    """Yield the pieces of a file in order, reading only what is not a hole."""
    zeros = bytes(chunk_length)
    done = 0
    for start, end in _data_extents(file, size=size):
        # Extents end anywhere (another file system, another block size); the grid stays where it is.
        first = max(done, start - start % chunk_length)
        if first > done:
            yield Piece(offset=done, count=-(-(first - done) // chunk_length), data=b"")
        for offset in range(first, end, chunk_length):
            length = min(chunk_length, size - offset)
            data = _read_exactly(file, offset=offset, length=length)
            yield Piece(offset=offset, count=1, data=b"" if data == zeros[:length] else data)
            done = offset + length
    if done < size:
        yield Piece(offset=done, count=-(-(size - done) // chunk_length), data=b"")


def _data_extents(file: BinaryIO, *, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each part of a file that is not a hole."""
    descriptor = file.fileno()
    position = 0
    while position < size:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
            start, end = position, size  # a block device, or a file system that does not tell
        yield start, min(end, size)
        position = end


def _read_exactly(file: BinaryIO, *, offset: int, length: int) -> bytes:
    data = os.pread(file.fileno(), length, offset)
    while len(data) < length:
        more = os.pread(file.fileno(), length - len(data), offset + len(data))
        if not more:
            raise InputError(
                f"{file.name} became shorter than {offset + length} bytes while it was read",
                hint="let nothing write to it meanwhile: stop the machine, or take a backup of the running one",
            )
        data += more
    return data

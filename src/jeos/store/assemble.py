"""Put a file together again from its index and a store: sparse, checked, in bounded memory."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from jeos.core import files
from jeos.core.ahead import in_order
from jeos.model.index import Chunk, ChunkIndex
from jeos.store.base import DamagedObjectError, Store

WORKERS = 2
WINDOW_BYTES = 32 << 20  # chunks that are read ahead; two of the longest, 512 of the usual length
MOST_WAITING = 64  # chunks read ahead at most: enough to keep the workers busy


def assemble(
    index: ChunkIndex,
    *,
    store: Store,
    path: Path,
    mode: int = 0o644,
    durable: bool = True,
    progress: Callable[[int], None] = lambda offset: None,
) -> None:
    """Write the file that an index describes to `path`, with holes for its zeros; it gets that name when it is whole.

    `progress` is told how many bytes are behind us. Raises MissingObjectError and DamagedObjectError (a chunk that
    is not as long as the index says counts as damaged); `path` is left as it was then.
    """
    with files.replace(path, mode=mode, durable=durable) as file:
        os.ftruncate(file.fileno(), index.size)
        write_data(index, store=store, descriptor=file.fileno(), progress=progress)


def write_data(
    index: ChunkIndex,
    *,
    store: Store,
    descriptor: int,
    progress: Callable[[int], None] = lambda offset: None,
) -> None:
    """Write the chunks that are not zeros to their places in an open file; the rest of it stays as it is."""
    window = max(2, min(MOST_WAITING, WINDOW_BYTES // index.chunk_length))

    def asked() -> Iterator[Chunk]:
        for chunk in index.data_chunks():
            yield chunk
            progress(chunk.offset)

    with closing(in_order(asked(), lambda chunk: _read(chunk, store), threads=WORKERS, most=window)) as chunks:
        for offset, data in chunks:
            files.write_at(descriptor, data, offset=offset)


def _read(chunk: Chunk, store: Store) -> tuple[int, bytes]:
    assert chunk.digest is not None
    data = store.read(chunk.digest)
    if len(data) != chunk.length:
        reason = f"it has {len(data)} bytes where the index wants {chunk.length}"
        raise DamagedObjectError(chunk.digest, where="the index", reason=reason)
    return chunk.offset, data

"""Put a file together again from its index and a store: sparse, checked, in bounded memory."""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from jeos.core import files
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
    waiting: deque[tuple[Chunk, Future[bytes]]] = deque()
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        try:
            for chunk in index.data_chunks():
                waiting.append((chunk, pool.submit(_read, chunk, store)))
                if len(waiting) > window:
                    _write(*waiting.popleft(), descriptor=descriptor)
                progress(chunk.offset)
            while waiting:
                _write(*waiting.popleft(), descriptor=descriptor)
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, what was asked for ahead is not wanted


def _read(chunk: Chunk, store: Store) -> bytes:
    assert chunk.digest is not None
    data = store.read(chunk.digest)
    if len(data) != chunk.length:
        reason = f"it has {len(data)} bytes where the index wants {chunk.length}"
        raise DamagedObjectError(chunk.digest, where="the index", reason=reason)
    return data


def _write(chunk: Chunk, future: Future[bytes], *, descriptor: int) -> None:
    data, offset = future.result(), chunk.offset
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written

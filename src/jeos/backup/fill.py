"""Write the chunks of a disk where they belong, in the order in which they lie in the vault.

    fill(vault, point.disks[0].manifest, file.fileno())

Nothing is put together on the way: each chunk is fetched, unpacked, compared with its id and written by one thread, so
that a disk costs little more than unpacking and hashing it. Zeros are left out: the file is empty before.
"""

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from threading import Lock

from jeos.backup.restored import Chunks, of_length
from jeos.backup.segments import Segments
from jeos.core import files, memory
from jeos.core.ahead import in_order
from jeos.model.snapshot import CHUNK, ID, SEGMENT, ZEROS, Manifest

AT_ONCE = 64  # chunks that one thread asks the vault for
AHEAD = 2  # such askings that wait, for each thread
BEHIND = 16  # askings that may still be on their way to the disk: 64 MiB
THREADS = 4  # at most: more would not be fed by one place, and each holds what a request brings
KEPT = 4 << 20  # bytes of buffers that are reused

Progress = Callable[[int, int], None]  # bytes of the disk that are done, and all
Places = dict[bytes, list[int]]  # chunks, and the offsets in the disk at which each belongs


def fill(vault: Chunks, manifest: Manifest, descriptor: int, *, progress: Progress | None = None) -> None:
    """Write all that is not zeros into an open file or device.

    Raises StoreError or InputError for a chunk that is missing or damaged.
    """
    memory.keep_freed(KEPT)
    threads = min(THREADS, max(2, len(os.sched_getaffinity(0))))
    lock = Lock()

    def write(part: tuple[int, Places]) -> int:
        end, places = part
        _write(vault, places, descriptor, size=manifest.size, lock=lock)
        return end

    cache = _Cache(descriptor)
    parts = _parts(manifest, Segments(vault.read))
    with closing(in_order(parts, write, threads=threads, most=AHEAD * threads)) as ends:
        for end in ends:
            cache.written(end)
            if progress:
                progress(end, manifest.size)


class _Cache:
    """What the host's cache holds of a file: soon nothing, so that others keep theirs and its pages are used again."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ends = deque([0])

    def written(self, end: int) -> None:
        """Have what was written up to here brought to the disk, and let go of what has been there for a while."""
        self._let_go(self._ends[-1], end)  # of what is not on the disk yet this only starts the way there
        self._ends.append(end)
        if len(self._ends) > BEHIND:
            self._let_go(self._ends.popleft(), self._ends[0])

    def _let_go(self, start: int, end: int) -> None:
        os.posix_fadvise(self._descriptor, start, end - start, os.POSIX_FADV_DONTNEED)


def _parts(manifest: Manifest, segments: Segments) -> Iterator[tuple[int, Places]]:
    """Yield some chunks at a time with their places, and the byte of the disk up to which all are then named."""
    for number, segment_id in enumerate(manifest.segments):
        if not segment_id:
            continue
        ids, places = segments.get(segment_id).ids, defaultdict[bytes, list[int]](list)
        first = number * SEGMENT
        for at in range(0, -(-min(SEGMENT, manifest.size - first) // CHUNK) * ID, ID):
            if (chunk_id := ids[at : at + ID]) != ZEROS:
                places[chunk_id].append(first + at // ID * CHUNK)
        left = iter(places.items())
        while part := dict(islice(left, AT_ONCE)):
            *_, last = part.values()
            yield min(manifest.size, last[0] + CHUNK), part


def _write(vault: Chunks, places: Places, descriptor: int, *, size: int, lock: Lock) -> None:
    found = [
        (offset, of_length(data, min(CHUNK, size - offset), number=offset // CHUNK))
        for chunk_id, data in vault.stream(list(places))
        for offset in places[chunk_id]
    ]
    found.sort()
    with lock:  # two threads in one file would wait for each other in the kernel, at the cost of both processors
        for start, run in _runs(found):
            _write_run(descriptor, run, start)


def _runs(found: list[tuple[int, bytes]]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield what lies without a gap, in order, as an offset and the chunks from there on."""
    start, end, run = 0, -1, list[bytes]()
    for offset, data in found:
        if offset != end or len(run) == AT_ONCE:
            if run:
                yield start, run
            start, run = offset, []
        run.append(data)
        end = offset + len(data)
    if run:
        yield start, run


def _write_run(descriptor: int, run: Sequence[bytes], offset: int) -> None:
    """Write all of these bytes, one behind the other, from an offset of a file on."""
    written = os.pwritev(descriptor, run, offset)
    if written < sum(map(len, run)):  # a full disk tells so now
        files.write_at(descriptor, memoryview(b"".join(run))[written:], offset=offset + written)

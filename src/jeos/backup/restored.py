"""A disk of a point, read from the vault's chunks as though it lay there.

    disk = PointBlocks(vault, point.disks[0].manifest)
    disk.read(0, 512)

Every chunk is checked as it is read. The last ones are kept, so that what reads in small steps, such as a file system,
fetches each once. `ReadAhead` shows a disk of which the next chunks are fetched before they are asked for.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from jeos.backup.segments import Segments
from jeos.core import log
from jeos.core.closing import Closing
from jeos.core.errors import InputError, JeosError
from jeos.disk.blocks import check_range
from jeos.model.snapshot import CHUNK, PER_SEGMENT, SEGMENT, ZEROS, Manifest, Segment

KEPT = 256  # chunks in memory: 16 MiB
AT_ONCE = 64  # chunks that one request to the vault asks for
AHEAD = 3  # chunks: a start fetches a third more, and waits two times of five less


class Chunks(Protocol):
    """What has chunks: a vault."""

    def read(self, chunk_id: bytes) -> bytes:
        """Return a chunk, checked."""
        ...

    def read_many(self, chunk_ids: Sequence[bytes]) -> list[bytes]:
        """Return chunks, checked, in this order."""
        ...

    def stream(self, chunk_ids: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield chunks with their ids, checked, each once and in any order."""
        ...


class PointBlocks:
    """A disk as it was; any number of threads may read."""

    def __init__(self, chunks: Chunks, manifest: Manifest, *, segments: Segments | None = None) -> None:
        """Show the disk with that manifest; `segments` shares what was read of it with others."""
        self.size = manifest.size
        self._chunks, self._manifest = chunks, manifest
        self._segments = segments or Segments(chunks.read)
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`. Raises StoreError for what is missing or damaged in the vault."""
        check_range(self, offset, length, name="the disk of the point")
        first, last = offset // CHUNK, -(-(offset + length) // CHUNK)
        parts = []
        for begin in range(first, last, AT_ONCE):
            ids = [self._id(number) for number in range(begin, min(last, begin + AT_ONCE))]
            found = self._fetch(ids)
            parts += [self._checked(found, chunk_id, number) for number, chunk_id in enumerate(ids, begin)]
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        skipped = offset - first * CHUNK
        return whole if skipped == 0 and len(whole) == length else whole[skipped : skipped + length]

    def keeps(self, offset: int, length: int) -> bool:
        """Tell whether nothing of a range would have to be fetched."""
        ids = {self._id(number) for number in range(offset // CHUNK, -(-(offset + length) // CHUNK))} - {ZEROS}
        with self._lock:
            return ids <= self._kept.keys()

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges whose chunks are not zeros."""
        end = min(end, self.size)
        begin: int | None = None
        position = start
        while position < end:
            segment_id = self._manifest.segments[position // SEGMENT]
            if not segment_id:
                until, filled = (position // SEGMENT + 1) * SEGMENT, False
            else:
                until, filled = _run(self._segments.get(segment_id), position)
            if filled and begin is None:
                begin = position
            if not filled and begin is not None:
                yield begin, position
                begin = None
            position = until
        if begin is not None:
            yield begin, end

    def _id(self, number: int) -> bytes:
        return self._segments.at(self._manifest, number * CHUNK)

    def _fetch(self, ids: list[bytes]) -> dict[bytes, bytes]:
        """Return chunks by their ids, those of zeros not."""
        found: dict[bytes, bytes] = {}
        with self._lock:
            for chunk_id in ids:
                if chunk_id in self._kept:
                    self._kept.move_to_end(chunk_id)
                    found[chunk_id] = self._kept[chunk_id]
        missing = [chunk_id for chunk_id in dict.fromkeys(ids) if chunk_id != ZEROS and chunk_id not in found]
        if not missing:
            return found
        fresh = self._chunks.read_many(missing) if len(missing) > 1 else [self._chunks.read(missing[0])]
        found.update(zip(missing, fresh, strict=True))
        if len(missing) < AT_ONCE // 2:  # what reads long stretches does not come back, and would push out the rest
            with self._lock:
                self._kept.update((chunk_id, found[chunk_id]) for chunk_id in missing)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return found

    def _checked(self, found: dict[bytes, bytes], chunk_id: bytes, number: int) -> bytes:
        wanted = min(CHUNK, self.size - number * CHUNK)
        if chunk_id == ZEROS:
            return bytes(wanted)
        return of_length(found[chunk_id], wanted, number=number)


class ReadAhead(Closing):
    """A disk whose readers mostly go on where they read: a guest that starts. Close it at the end."""

    def __init__(self, disk: PointBlocks) -> None:
        self.size = disk.size
        self._disk = disk
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._busy = threading.Semaphore(1)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`. Raises StoreError for what is missing or damaged in the vault."""
        known = self._disk.keeps(offset, length)
        content = self._disk.read(offset, length)
        end = -(-(offset + length) // CHUNK) * CHUNK
        if not known and end < self.size and self._busy.acquire(blocking=False):
            try:
                self._thread.submit(self._fetch, end, min(AHEAD * CHUNK, self.size - end))
            except RuntimeError:  # closed
                self._busy.release()
        return content

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges whose chunks are not zeros."""
        return self._disk.data(start, end)

    def close(self) -> None:
        """Fetch nothing more."""
        self._thread.shutdown(cancel_futures=True)

    def _fetch(self, offset: int, length: int) -> None:
        try:
            self._disk.read(offset, length)
        except JeosError as error:  # who asks for it is told
            log.debug(f"{length} bytes at {offset} could not be read ahead: {error.message}")
        finally:
            self._busy.release()


def of_length(chunk: bytes, wanted: int, *, number: int) -> bytes:
    """Return the chunk with that number of a disk. Raises InputError if it is not as long as its place."""
    if len(chunk) != wanted:
        raise InputError(
            f"chunk {number} of the disk has {len(chunk)} bytes, not {wanted}: its list is damaged",
            hint="`jeos backup verify` tells which points can be read",
        )
    return chunk


def _run(segment: Segment, position: int) -> tuple[int, bool]:
    """Return where in the disk a run of chunks ends that are alike, zeros or not, and whether they are not."""
    start = position // SEGMENT * SEGMENT
    number = (position - start) // CHUNK
    filled = segment.at(number) != ZEROS
    while number < PER_SEGMENT and (segment.at(number) != ZEROS) == filled:
        number += 1
    return start + number * CHUNK, filled

"""Read a disk into a vault: all of it, what differs from an earlier point, or what is known to have changed.

    captured = capture(disk, session, segments=Segments(vault.read), previous=point.disks[0])

What was captured before is an accelerator and never the truth: a chunk is named without being stored only if the vault
holds it, and where an earlier list cannot be read, that part of the disk is read as though it were new. Reading,
hashing and packing leave Python's lock, so threads share the work; memory stays at a few pieces for each.
"""

import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from jeos.backup.segments import Segments, chunk_ids
from jeos.core import memory
from jeos.core.errors import InputError, StoreError, UsageError
from jeos.disk.blocks import Blocks
from jeos.model import snapshot
from jeos.model.snapshot import CHUNK, ID, LARGEST_DISK, PER_SEGMENT, SEGMENT, ZEROS, Manifest, PointDisk, Segment

PIECE = 16 * CHUNK  # bytes that are read at once
THREADS = 4  # at most: more would not be fed by one disk, and each holds pieces in memory
AHEAD = 3  # pieces in work or waiting, for each thread
KEPT = 4 << 20  # bytes of buffers that are reused: pieces, and not packs
_ZERO_CHUNK = bytes(CHUNK)
_NO_IDS = bytes(ID * PER_SEGMENT)

Range = tuple[int, int]  # bytes of a disk: start, end
Progress = Callable[[int, int], None]  # bytes of the disk that are done, and all


class Writer(Protocol):
    """What stores chunks: a vault's session."""

    def name(self, data: bytes | memoryview, /) -> bytes:
        """Return the id of a chunk."""
        ...

    def write(self, data: bytes | memoryview, /) -> bytes:
        """Store a chunk, if it is not there, and return its id."""
        ...

    def holds(self, chunk_ids: Iterable[bytes], /) -> bool:
        """Tell whether chunks that an earlier point needs stay."""
        ...


@dataclass(frozen=True, slots=True)
class Captured:
    """A disk in a vault; `data` are the bytes of its chunks that are not zeros, `read` those that were read."""

    manifest: Manifest
    data: int
    read: int


@dataclass(slots=True)
class _Work:
    """A segment in work: its chunks' ids as they come (None where it stays what it was), and what it was before."""

    before_id: bytes
    before: Segment | None = None
    ids: bytearray | None = None
    pieces: deque[tuple[int, Future[bytes]]] = field(default_factory=deque)


def capture(
    disk: Blocks,
    session: Writer,
    *,
    segments: Segments,
    previous: PointDisk | None = None,
    changed: Iterable[Range] | None = None,
    progress: Progress | None = None,
) -> Captured:
    """Store what a disk holds and return its manifest.

    `previous` is an earlier state of the disk, whose chunks are not stored again. With `changed`, the ranges in order
    outside of which nothing is other than it was then, only these are read; a disk that has another size now is read
    whole. Raises InputError or StoreError where the disk cannot be read, or the vault not be written.
    """
    if disk.size > LARGEST_DISK:
        raise UsageError(f"a disk of {disk.size >> 40} TiB is larger than those that are backed up")
    if previous is None or previous.manifest.size != disk.size:
        changed = None
    memory.keep_freed(KEPT)
    run = _Run(disk, session, segments=segments, previous=previous, partly=changed is not None)
    threads = min(THREADS, max(2, len(os.sched_getaffinity(0))))
    with ThreadPoolExecutor(threads) as pool:
        try:
            for number, spans in _by_segment(changed, size=disk.size):
                run.start(number, spans, pool=pool)
                while run.waiting() > AHEAD * threads or len(run.works) > AHEAD * threads:
                    run.finish()
                if progress:
                    progress(min(disk.size, number * SEGMENT), disk.size)
            while run.works:
                run.finish()
        finally:
            run.cancel()
    return Captured(Manifest(size=disk.size, segments=tuple(run.made)), data=run.data, read=run.read)


def _by_segment(changed: Iterable[Range] | None, *, size: int) -> Iterator[tuple[int, list[Range] | None]]:
    """Yield each segment's number with the ranges of it that are to be read, at bounds of chunks; None for all."""
    count = -(-size // SEGMENT)
    if changed is None:
        yield from ((number, None) for number in range(count))
        return
    aligned = _aligned(changed, size=size)
    starts = [start for start, _ in aligned]
    for number in range(count):
        start, end = number * SEGMENT, min(size, (number + 1) * SEGMENT)
        found = []
        index = max(0, bisect_right(starts, start) - 1)
        while index < len(aligned) and aligned[index][0] < end:
            first, last = max(start, aligned[index][0]), min(end, aligned[index][1])
            if first < last:
                found.append((first, last))
            index += 1
        yield number, found


def _aligned(ranges: Iterable[Range], *, size: int) -> list[Range]:
    """Return ranges grown to whole chunks, those that touch put together. Raises InputError if out of order."""
    found: list[Range] = []
    for start, end in ranges:
        start, end = start - start % CHUNK, min(size, -(-end // CHUNK) * CHUNK)
        if start < 0 or (found and start < found[-1][0]):
            raise InputError(f"the changed ranges of a disk are out of order at byte {start}")
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


class _Run:
    """One disk on its way: segments are started and finished in the order of the disk."""

    def __init__(
        self, disk: Blocks, session: Writer, *, segments: Segments, previous: PointDisk | None, partly: bool
    ) -> None:
        self.works: deque[_Work] = deque()
        self.made: list[bytes] = []
        self.read = 0
        self.data = previous.data if previous and partly else 0  # then what changed is added
        self._disk, self._session, self._segments, self._partly = disk, session, segments, partly
        self._previous = previous.manifest.segments if previous else ()

    def waiting(self) -> int:
        """Return how many pieces are in work or wait."""
        return sum(len(work.pieces) for work in self.works)

    def cancel(self) -> None:
        """Let nothing more be begun."""
        for work in self.works:
            for _, piece in work.pieces:
                piece.cancel()

    def start(self, number: int, wanted: list[Range] | None, *, pool: ThreadPoolExecutor) -> None:
        """Have the wanted parts of a segment read; all of it where what it was cannot be built on."""
        before_id = self._previous[number] if number < len(self._previous) else b""
        if wanted == [] and (not before_id or self._stays(before_id)):
            self.works.append(_Work(before_id))
            return
        before = self._before(before_id) if before_id else None
        start, end = number * SEGMENT, min(self._disk.size, (number + 1) * SEGMENT)
        if not wanted or (before_id and before is None):
            wanted = [(start, end)]
        work = _Work(before_id, before, bytearray(before.ids if before else _NO_IDS))
        self.works.append(work)
        assert work.ids is not None
        inside = -(-(end - start) // CHUNK) * ID
        work.ids[inside:] = _NO_IDS[inside:]  # a larger disk may have had more
        for first, last in wanted:
            at = (first - start) // CHUNK * ID
            work.ids[at : at + -(-(last - first) // CHUNK) * ID] = bytes(-(-(last - first) // CHUNK) * ID)
            for begin, stop in _pieces(self._disk, first, last):
                place = (begin - start) // CHUNK
                work.pieces.append((place, pool.submit(self._store, begin, stop, place=place, before=before)))
                self.read += stop - begin
        if before is None and not work.pieces:
            work.ids, work.before_id = None, b""  # zeros, as most of a large disk may be

    def finish(self) -> None:
        """Wait for the oldest segment, and store the list of its chunks if that is new."""
        work = self.works[0]
        while work.pieces:
            place, piece = work.pieces[0]
            found = piece.result()
            assert work.ids is not None
            work.ids[place * ID : place * ID + len(found)] = found
            work.pieces.popleft()
        self.works.popleft()
        if work.ids is None:
            self.made.append(work.before_id)
            return
        ids = bytes(work.ids)
        count = filled(ids)
        if self._partly:  # what cannot be read any more counts as though it had been as full
            count -= filled(work.before.ids) if work.before else count if work.before_id else 0
        self.data += count * CHUNK
        self.made.append(self._listed(ids, work.before_id, work.before))

    def _store(self, start: int, end: int, *, place: int, before: Segment | None) -> bytes:
        """Store a piece of the disk and return its chunks' ids; the first has the number `place` in its segment."""
        content = self._disk.read(start, end - start)
        view = memoryview(content)
        found = []
        for number, at in enumerate(range(0, len(content), CHUNK), start=place):
            chunk = view[at : at + CHUNK]
            if content.startswith(_ZERO_CHUNK[: len(chunk)], at):  # to compare a view goes byte by byte
                found.append(ZEROS)
                continue
            known = before.at(number) if before else ZEROS
            found.append(known if known != ZEROS and self._session.name(chunk) == known else self._session.write(chunk))
        return b"".join(found)

    def _before(self, segment_id: bytes) -> Segment | None:
        """Return what a segment was, if that can be read and all that it needs stays."""
        try:
            segment = self._segments.get(segment_id)
            return segment if self._session.holds(self._needs(segment_id)) else None
        except (StoreError, InputError):
            return None

    def _stays(self, segment_id: bytes) -> bool:
        """Tell whether the vault holds all that a segment needs; it is not read where the vault knows without."""
        try:
            return self._session.holds(self._needs(segment_id))
        except (StoreError, InputError):
            return False

    def _needs(self, segment_id: bytes) -> Iterator[bytes]:
        yield segment_id
        segment = self._segments.get(segment_id)
        yield from [segment.base] if segment.base else []
        yield from chunk_ids(segment)

    def _listed(self, ids: bytes, before_id: bytes, before: Segment | None) -> bytes:
        """Return the id of the segment with these chunks, b"" for zeros; what is new is stored."""
        if ids == _NO_IDS:
            return b""
        if before and ids == before.ids:
            return before_id
        base_id = (before.base or before_id) if before else b""
        if base_id:
            base = self._segments.get(base_id)
            differing = len(snapshot.changes(ids, base.ids))
            if not differing:
                return base_id
            if differing <= snapshot.MOST_CHANGES:
                return self._session.write(snapshot.segment_bytes(Segment(ids, base_id), base=base))
        return self._session.write(snapshot.segment_bytes(Segment(ids)))


def filled(ids: bytes) -> int:
    """Return how many chunks of a segment are not zeros."""
    return sum(ids[at : at + ID] != ZEROS for at in range(0, len(ids), ID))


def _pieces(disk: Blocks, first: int, last: int) -> Iterator[Range]:
    """Yield what is to be read between two bounds of chunks: all data, as whole chunks, piece by piece."""
    done = first
    for start, end in disk.data(first, last):
        position = max(done, start - start % CHUNK)
        stop = min(last, -(-end // CHUNK) * CHUNK)
        while position < stop:
            until = min(stop, position - position % PIECE + PIECE)
            yield position, until
            position = until
        done = max(done, stop)

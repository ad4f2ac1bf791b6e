"""The segments of manifests, as they lie in a vault among the chunks.

segments = Segments(vault.read)
segments.at(disk.manifest, 3 << 30)         # the id of the chunk at that byte of the disk
for chunk_id in ids(point, segments): …     # all that a point needs
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

from jeos.model.snapshot import CHUNK, ID, SEGMENT, ZEROS, Manifest, Point, Segment, base_of, parse_segment

KEPT = 64  # segments in memory, 32 KiB each: those of the last 4 GiB that were looked at

Read = Callable[[bytes], bytes]  # a chunk by its id, checked


class Segments:
    """Reads segments and keeps the last ones; any number of threads may use it."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept: OrderedDict[bytes, Segment] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, segment_id: bytes) -> Segment:
        """Return a segment. Raises StoreError if it or its base is missing or damaged, InputError if it is none."""
        with self._lock:
            if segment_id in self._kept:
                self._kept.move_to_end(segment_id)
                return self._kept[segment_id]
        data = self._read(segment_id)
        base = base_of(data)
        found = parse_segment(data, base=self._whole(base) if base else None)
        self._keep(segment_id, found)
        return found

    def at(self, manifest: Manifest, offset: int) -> bytes:
        """Return the id of the chunk that holds a byte of a disk, `ZEROS` where there are none."""
        segment_id = manifest.segments[offset // SEGMENT]
        return self.get(segment_id).at(offset % SEGMENT // CHUNK) if segment_id else ZEROS

    def _whole(self, segment_id: bytes) -> Segment:
        with self._lock:
            kept = self._kept.get(segment_id)
        if kept is None or kept.base:  # one with a base would be refused: let the parser say so
            kept = parse_segment(self._read(segment_id))
            self._keep(segment_id, kept)
        return kept

    def _keep(self, segment_id: bytes, segment: Segment) -> None:
        with self._lock:
            self._kept[segment_id] = segment
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def chunk_ids(segment: Segment) -> Iterator[bytes]:
    """Yield the ids of a segment's chunks that are not zeros, in the order of the disk."""
    for at in range(0, len(segment.ids), ID):
        chunk_id = segment.ids[at : at + ID]
        if chunk_id != ZEROS:
            yield chunk_id


def ids(point: Point, segments: Segments) -> Iterator[bytes]:
    """Yield the ids of all chunks that a point needs, its segments included; some come more than once."""
    if point.nvram:
        yield point.nvram
    for disk in point.disks:
        for segment_id in disk.manifest.segments:
            if segment_id:
                yield segment_id
                segment = segments.get(segment_id)
                if segment.base:
                    yield segment.base
                yield from chunk_ids(segment)

"""The bytes of an attribute of NTFS, wherever they are: in the record, in runs of clusters, sparse or compressed."""

from bisect import bisect_right
from collections.abc import Sequence

from jeos.core.errors import InputError
from jeos.disk import lznt1
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems import ntfs_records as records
from jeos.disk.filesystems.ntfs_records import Attribute, Geometry, Run, damaged

_READ_MOST = 1 << 30  # bytes of one read, so that a size that is only claimed takes no memory


class Content:
    """The bytes of one attribute, made of its extents in order."""

    def __init__(self, blocks: Blocks, geometry: Geometry, extents: Sequence[Attribute]) -> None:
        """Lay out the extents. Raises InputError where they do not follow each other, or lie outside of the volume."""
        if not extents:
            raise damaged("an attribute has no extents")
        head = extents[0]
        self._blocks, self._geometry = blocks, geometry
        self._value = head.value
        self.size, self._valid = head.size, head.valid
        self._unit = head.unit * geometry.cluster if head.flags & records.COMPRESSED else 0
        self.encrypted = bool(head.flags & records.ENCRYPTED)
        self._runs: list[Run] = []
        if head.value is None:
            self._lay_out(extents)
        self._starts = [run.first for run in self._runs]

    def _lay_out(self, extents: Sequence[Attribute]) -> None:
        following = 0
        for extent in extents:
            if extent.value is not None or extent.first != following:
                raise damaged("the extents of an attribute do not follow each other")
            runs = records.parse_runs(extent.runs, first=following, clusters=self._geometry.clusters)
            self._runs += runs
            following = runs[-1].first + runs[-1].count if runs else following
        if self.size > following * self._geometry.cluster:
            raise damaged(f"an attribute of {self.size} bytes has {following} clusters")

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes from `offset` on, fewer where the attribute ends.

        Raises InputError for what is encrypted or damaged.
        """
        if self.encrypted:
            raise InputError("a file is encrypted by Windows (EFS)", hint="decrypt it in Windows (`cipher /d`)")
        end = self.size if length is None else min(self.size, offset + length)
        if offset >= end:
            return b""
        if end - offset > _READ_MOST:
            raise InputError(
                f"a file of {self.size} bytes is too large to be read at once", hint="read it in parts, with a length"
            )
        if self._value is not None:
            return self._value[offset:end]
        written = max(offset, min(end, self._valid))  # what was never written reads as zeros
        found = self._compressed(offset, written) if self._unit else self._plain(offset, written)
        return found + bytes(end - written)

    def _plain(self, offset: int, end: int) -> bytes:
        """Return the bytes of the runs between two offsets; holes are zeros."""
        cluster = self._geometry.cluster
        parts = []
        index = bisect_right(self._starts, offset // cluster) - 1
        while offset < end:
            run = self._runs[index]
            stop = min(end, (run.first + run.count) * cluster)
            if run.cluster is None:
                parts.append(bytes(stop - offset))
            else:
                place = run.cluster * cluster + offset - run.first * cluster
                parts.append(self._blocks.read(place, stop - offset))
            offset = stop
            index += 1
        return b"".join(parts)

    def _compressed(self, offset: int, end: int) -> bytes:
        parts = []
        start = offset - offset % self._unit
        while start < end:
            unit = self._decompressed(start)
            parts.append(unit[max(0, offset - start) : end - start])
            start += self._unit
        return b"".join(parts)

    def _decompressed(self, start: int) -> bytes:
        """Return one unit: as it is if all its clusters are there, zeros if none is, else what they unfold to."""
        cluster = self._geometry.cluster
        first, last = start // cluster, (start + self._unit) // cluster
        there = 0
        index = bisect_right(self._starts, first) - 1
        while index < len(self._runs) and self._runs[index].first < last:
            run = self._runs[index]
            if run.cluster is None:
                break
            there = min(last, run.first + run.count) - first
            index += 1
        end = min(start + there * cluster, self._reach())
        if there == 0:
            return bytes(self._unit)
        packed = self._plain(start, end)
        if there == last - first:
            return packed
        return lznt1.decompress(packed, size=self._unit)

    def _reach(self) -> int:
        last = self._runs[-1]
        return (last.first + last.count) * self._geometry.cluster

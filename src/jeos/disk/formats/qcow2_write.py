"""Write a qcow2 of version 3, plain or compressed on all processors.

    write(disk, file, effort=Effort.USUAL, compression=Compression.ZSTD)

Clusters of 64 KiB come one after the other, each table after those that it names; what counts references comes last.
QEMU unpacks zstd since 5.1. Its deflate has a window of 4 KiB, which libdeflate does not make: isal does.
Source: QEMU, docs/interop/qcow2.txt.
"""

import struct
import sys
import threading
from array import array
from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO

import zstandard
from isal import igzip_lib

from jeos.core.errors import UsageError
from jeos.disk.blocks import Blocks
from jeos.disk.formats import qcow2
from jeos.disk.formats.ordered import Effort, is_zero, ordered

SUFFIX = ".qcow2"
CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
ENTRIES = CLUSTER // 8  # of a table
HEADER_SIZE = 112
REFERENCE_BITS_ORDER = 4  # counts of 2^4 bits
COUNTS = CLUSTER // 2  # in one block of them
SECTORS_SHIFT = 62 - (CLUSTER_BITS - 8)
WINDOW_BITS = 12  # of QEMU's deflate
LARGEST = 8 << 40  # bytes; the first table has 16,384 entries then
ZSTD_LEVELS = {Effort.FAST: 1, Effort.USUAL: 3, Effort.SMALL: 12}
DEFLATE_LEVELS = {Effort.FAST: 1, Effort.USUAL: 2, Effort.SMALL: 3}  # isal's


class Compression(StrEnum):
    """How clusters are kept."""

    NONE = "none"
    ZSTD = "zstd"
    DEFLATE = "deflate"


Pack = Callable[[bytes], bytes]


def write(
    blocks: Blocks, file: BinaryIO, *, effort: Effort = Effort.USUAL, compression: Compression = Compression.NONE
) -> None:
    """Write a disk into an empty file. Raises UsageError if it is too large."""
    size = -(-blocks.size // qcow2.SECTOR) * qcow2.SECTOR
    if size > LARGEST:
        raise UsageError(f"a disk of {size >> 40} TiB is more than jeos writes as qcow2", hint="take raw")
    packer = _packer(compression, effort)
    target = _Target(file, tables=-(-size // (CLUSTER * ENTRIES)))
    for start, clusters in ordered(blocks, lambda start, content: _pack(content, packer), unit=CLUSTER):
        target.add(start // CLUSTER, clusters)
    target.end(size, zstd=compression is Compression.ZSTD)


def _packer(compression: Compression, effort: Effort) -> Pack | None:
    if compression is Compression.DEFLATE:
        level = DEFLATE_LEVELS[effort]
        return lambda cluster: igzip_lib.compress(cluster, level, igzip_lib.COMP_DEFLATE, hist_bits=WINDOW_BITS)
    if compression is Compression.ZSTD:
        kept = threading.local()  # a compressor is for one thread at a time

        def pack(cluster: bytes) -> bytes:
            if not hasattr(kept, "compressor"):
                kept.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVELS[effort])
            packed: bytes = kept.compressor.compress(cluster)
            return packed

        return pack
    return None


def _pack(content: bytes, pack: Pack | None) -> list[tuple[bytes, bool]]:
    """Return for each cluster its bytes as they are written (none for zeros), and whether they are packed."""
    clusters = []
    for at in range(0, len(content), CLUSTER):
        cluster = content[at : at + CLUSTER].ljust(CLUSTER, b"\0")
        if is_zero(cluster):
            clusters.append((b"", False))
            continue
        packed = pack(cluster) if pack else cluster
        clusters.append((packed, True) if len(packed) < CLUSTER else (cluster, False))
    return clusters


class _Target:
    """Lays clusters and tables one after the other, and counts references to each cluster of the file."""

    def __init__(self, file: BinaryIO, *, tables: int) -> None:
        self._file = file
        self._l1 = [0] * tables
        self._table, self._number = [0] * ENTRIES, 0
        self._counts = array("H", [1])  # the header's
        self._end = CLUSTER  # of what is laid out
        self._gap = 0, 0  # what was left of a cluster, for packed ones

    def add(self, first: int, clusters: list[tuple[bytes, bool]]) -> None:
        """Write clusters that follow one another in the disk, from the one with a number on."""
        if first // ENTRIES != self._number:
            self._end_table()
            self._number = first // ENTRIES
        for number, (content, packed) in enumerate(clusters, start=first):
            if content:
                place = self._place_packed(len(content)) if packed else self._place_whole(CLUSTER)
                self._table[number % ENTRIES] = _packed_entry(place, len(content)) if packed else place | qcow2.COPIED
                self._file.seek(place)
                self._file.write(content)

    def end(self, size: int, *, zstd: bool) -> None:
        """Write the last tables and the header."""
        self._end_table()
        l1_at = self._write_table(self._l1) if self._l1 else self._place_whole(CLUSTER)
        counts_at, count_tables = self._write_counts()
        self._file.truncate(self._end)
        fields = qcow2.HEADER.pack(
            qcow2.MAGIC, 3, 0, 0, CLUSTER_BITS, size, 0, len(self._l1), l1_at, counts_at, count_tables, 0, 0
        )
        features, kind = (qcow2.COMPRESSION, qcow2.ZSTD) if zstd else (0, qcow2.ZLIB)
        fields += qcow2.HEADER_3.pack(features, 0, 0, REFERENCE_BITS_ORDER, HEADER_SIZE, kind)
        self._file.seek(0)
        self._file.write(fields.ljust(CLUSTER, b"\0"))

    def _place_whole(self, length: int) -> int:
        """Return a place for whole clusters."""
        place = -(-self._end // CLUSTER) * CLUSTER
        if place > self._end:
            self._gap = self._end, place
        self._end = place + -(-length // CLUSTER) * CLUSTER
        self._counts.extend([1] * (self._end // CLUSTER - len(self._counts)))
        return place

    def _place_packed(self, length: int) -> int:
        """Return a place for a packed cluster, which shares clusters of the file with others."""
        start, end = self._gap
        if length <= end - start:
            self._gap = start + length, end
            place = start
        else:
            place = self._end
            self._end += length
        for cluster in range(place // CLUSTER, (place + length - 1) // CLUSTER + 1):
            if cluster == len(self._counts):
                self._counts.append(0)
            self._counts[cluster] += 1
        return place

    def _end_table(self) -> None:
        if any(self._table):
            self._l1[self._number] = self._write_table(self._table) | qcow2.COPIED
            self._table = [0] * ENTRIES

    def _write_table(self, entries: list[int]) -> int:
        place = self._place_whole(len(entries) * 8)
        self._file.seek(place)
        self._file.write(struct.pack(f">{len(entries)}Q", *entries))
        return place

    def _write_counts(self) -> tuple[int, int]:
        """Write the counts, which count themselves, and the table of their blocks; return its place and clusters."""
        used = -(-self._end // CLUSTER)
        blocks, tables = 0, 0
        while (needed := -(-(used + blocks + tables) // COUNTS)) > blocks:
            blocks, tables = needed, -(-needed // ENTRIES)
        table_at = self._place_whole(tables * CLUSTER)
        blocks_at = self._place_whole(blocks * CLUSTER)
        counts = array("H", self._counts)
        if sys.byteorder == "little":
            counts.byteswap()
        self._file.seek(table_at)
        self._file.write(struct.pack(f">{blocks}Q", *range(blocks_at, blocks_at + blocks * CLUSTER, CLUSTER)))
        self._file.seek(blocks_at)
        self._file.write(counts.tobytes())
        return table_at, tables


def _packed_entry(place: int, length: int) -> int:
    """Return the entry of a packed cluster: where it begins, and in how many further sectors it ends."""
    sectors = (place + length - 1) // qcow2.SECTOR - place // qcow2.SECTOR
    return qcow2.COMPRESSED | sectors << SECTORS_SHIFT | place

"""QEMU's qcow2, versions 2 and 3: compressed clusters (zlib, zstd), backing files, subclusters.

Source: QEMU, docs/interop/qcow2.txt. Internal snapshots are not read: the disk is what it is now. A data file of its
own (`data_file`) is read where the disk's folder has it; encrypted disks are refused.
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from jeos.core.errors import InputError
from jeos.disk import formats
from jeos.disk.blocks import Blocks
from jeos.disk.formats import inflate
from jeos.disk.formats.mapped import LARGEST_DISK, Mapped, Packed, Run, check_used, damaged, merged, parent_runs
from jeos.disk.formats.siblings import Place

SUFFIXES = (".qcow2",)  # of names
MAGIC = b"QFI\xfb"
HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
HEADER_3 = struct.Struct(">QQQIIB")  # features, refcount order, header length, compression; from byte 72 on
V2_HEADER_BYTES, V3_HEADER_BYTES = 72, 104
EXTENSION = struct.Struct(">II")
BACKING_FORMAT, DATA_FILE_NAME = 0xE2792ACA, 0x44415441
EXTERNAL_DATA, COMPRESSION, EXTENDED_L2 = 1 << 2, 1 << 3, 1 << 4
KNOWN = (
    1 | 2 | EXTERNAL_DATA | COMPRESSION | EXTENDED_L2
)  # 1 is "not closed", 2 "refcounts are wrong": both can be read
ZLIB, ZSTD = 0, 1
LARGEST_L1 = 32 << 20  # bytes, as in QEMU
LONGEST_NAME = 1023
SECTOR = 512
COPIED, COMPRESSED, ZERO = 1 << 63, 1 << 62, 1
OFFSET = 0x00FFFFFFFFFFFE00
SUBCLUSTERS = 32


@dataclass(frozen=True, slots=True)
class Header:
    """What a qcow2 file says of itself; sizes in bytes."""

    cluster: int
    size: int
    l1_entries: int
    l1_offset: int
    compression: int
    extended: bool
    external: bool
    backing: str
    backing_format: str
    data_file: str


def probe(blocks: Blocks) -> bool:
    """Tell whether a file begins as qcow2."""
    return blocks.size >= len(MAGIC) and blocks.read(0, len(MAGIC)) == MAGIC


def open(blocks: Blocks, place: Place) -> Blocks:
    """Return the disk, with what it lies over. Raises InputError."""
    header = read_header(blocks, label=place.label)
    parent = None
    if header.backing:
        if "://" in header.backing or header.backing.startswith(("json:", "nbd:")):
            raise InputError(
                f"{place.label} lies over {header.backing[:200]!r}, which is not a file",
                hint=f"make it one file first: qemu-img convert -O qcow2 {place.label} whole.qcow2",
            )
        file, there = place.open_parent(header.backing.removeprefix("file:"))
        parent = formats.open_as(file, there, format=header.backing_format or formats.named_format(file, there))
    data = place.open(header.data_file)[0] if header.external else blocks
    return Qcow2(blocks, data=data, header=header, parent=parent, label=place.label)


def read_header(blocks: Blocks, *, label: str) -> Header:
    """Read and check the header. Raises InputError."""
    start = blocks.read(0, min(blocks.size, V3_HEADER_BYTES + 8)).ljust(V3_HEADER_BYTES + 8, b"\0")
    _, version, name_at, name_length, bits, size, encryption, l1_entries, l1_offset, *_ = HEADER.unpack_from(start)
    if version not in (2, 3):
        raise InputError(f"{label} is qcow2 of version {version}", hint="versions 2 and 3 are read")
    if encryption:
        raise InputError(f"{label} is encrypted", hint="decrypt it first: qemu-img convert with --object secret")
    features, length, compression = 0, V2_HEADER_BYTES, ZLIB
    if version == 3:
        features, _, _, _, length, compression = HEADER_3.unpack_from(start, V2_HEADER_BYTES)
    if features & ~KNOWN:
        raise InputError(f"{label} has features {features & ~KNOWN:#x} that are not known", hint="convert it with QEMU")
    extended = bool(features & EXTENDED_L2)
    compression = compression if features & COMPRESSION else ZLIB
    if compression not in (ZLIB, ZSTD):
        raise InputError(f"{label} is compressed in an unknown way ({compression})", hint="zlib and zstd are read")
    if not 9 + 5 * extended <= bits <= 21:
        raise damaged(label, f"clusters of 2^{bits} bytes are outside of the format")
    cluster = 1 << bits
    covered = cluster // (16 if extended else 8) * cluster  # by one entry of the first table
    if size > LARGEST_DISK or l1_entries * 8 > LARGEST_L1 or l1_entries * covered < size or l1_offset % cluster:
        raise damaged(label, f"a table of {l1_entries} entries at {l1_offset} does not fit {size} bytes")
    if not V2_HEADER_BYTES <= length <= cluster or name_length > LONGEST_NAME:
        raise damaged(label, f"a header of {length} bytes with a name of {name_length} bytes is outside of the format")
    names = _extensions(blocks, start=length, end=min(name_at or cluster, cluster, blocks.size), label=label)
    backing = blocks.read(name_at, name_length).decode(errors="replace") if name_at else ""
    return Header(
        cluster=cluster,
        size=size,
        l1_entries=l1_entries,
        l1_offset=l1_offset,
        compression=compression,
        extended=extended,
        external=bool(features & EXTERNAL_DATA),
        backing=backing,
        backing_format=names.get(BACKING_FORMAT, ""),
        data_file=names.get(DATA_FILE_NAME, ""),
    )


def _extensions(blocks: Blocks, *, start: int, end: int, label: str) -> dict[int, str]:
    """Return the names that the header's extensions have."""
    names = {}
    while start + EXTENSION.size <= end:
        kind, length = EXTENSION.unpack(blocks.read(start, EXTENSION.size))
        start += EXTENSION.size
        if not kind:
            break
        if start + length > end:
            raise damaged(label, f"an extension of {length} bytes does not fit into its header")
        if kind in (BACKING_FORMAT, DATA_FILE_NAME):
            if length > LONGEST_NAME:
                raise damaged(label, f"a name has {length} bytes")
            names[kind] = blocks.read(start, length).rstrip(b"\0").decode(errors="replace")
        start += -(-length // 8) * 8
    return names


class Qcow2(Mapped):
    """A qcow2 disk."""

    def __init__(self, blocks: Blocks, *, data: Blocks, header: Header, parent: Blocks | None, label: str) -> None:
        """Read the first table. Raises InputError if it is damaged."""
        self.label, self.size = label, header.size
        self._blocks, self._data, self._header, self._parent = blocks, data, header, parent
        self._l1 = self._table(header.l1_offset, header.l1_entries)
        check_used(label, units=len(self._l1) - self._l1.count(0), unit=header.cluster, blocks=blocks)
        used = [entry & OFFSET for entry in self._l1 if entry & OFFSET]
        if len(set(used)) != len(used):
            raise damaged(label, "its first table names one second table twice")
        self._entries = header.cluster // (16 if header.extended else 8)  # of one second table
        self._l2 = lru_cache(maxsize=max(2, (8 << 20) // header.cluster))(self._second_table)
        ratio = inflate.ZSTD_RATIO if header.compression == ZSTD else inflate.DEFLATE_RATIO
        self._packed = Packed(self._unpack, unit=header.cluster, most=blocks.size * ratio)

    def _table(self, offset: int, entries: int) -> "array[int]":
        table = array("Q", self._blocks.read(offset, entries * 8))
        if sys.byteorder == "little":
            table.byteswap()
        return table

    def _second_table(self, number: int) -> "array[int] | None":
        offset = self._l1[number] & OFFSET
        if not offset:
            return None
        if offset % self._header.cluster:
            raise damaged(self.label, f"a table is at {offset}, which is no multiple of the cluster size")
        return self._table(offset, self._header.cluster // 8)

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the tables say."""
        return merged(self._each(start, end))

    def _each(self, start: int, end: int) -> Iterator[Run]:
        cluster, covered = self._header.cluster, self._header.cluster * self._entries
        cells = self._extended if self._header.extended else self._plain
        while start < end:
            number = start // covered
            table = self._l2(number)
            stop = min(end, (number + 1) * covered)
            if table is None:
                yield from parent_runs(self._parent, start, stop)
                start = stop
            while start < stop:
                last = min(stop, start - start % cluster + cluster)
                yield from cells(table, start % covered // cluster, start, last)  # type: ignore[arg-type]
                start = last

    def _plain(self, table: "array[int]", index: int, start: int, end: int) -> Iterator[Run]:
        """Yield what one cluster has between two offsets within it."""
        entry = table[index]
        if entry & COMPRESSED:
            yield Run(start, end, self._packed, start)
        elif entry & ZERO:
            yield Run(start, end, None, 0)
        elif self._allocated(entry):
            yield Run(start, end, self._data, self._place(entry) + start % self._header.cluster)
        else:
            yield from parent_runs(self._parent, start, end)

    def _extended(self, table: "array[int]", index: int, start: int, end: int) -> Iterator[Run]:
        """Yield what the subclusters of a cluster have: the low bits tell what is there, the high ones what is zero."""
        entry, bitmap = table[2 * index], table[2 * index + 1]
        if entry & COMPRESSED:
            yield Run(start, end, self._packed, start)
            return
        cluster, sub = self._header.cluster, self._header.cluster // SUBCLUSTERS
        while start < end:
            number = start % cluster // sub
            last = min(end, start - start % sub + sub)
            if bitmap >> number & 1:
                yield Run(start, last, self._data, self._place(entry) + start % cluster)
            elif bitmap >> (SUBCLUSTERS + number) & 1:
                yield Run(start, last, None, 0)
            else:
                yield from parent_runs(self._parent, start, last)
            start = last

    def _allocated(self, entry: int) -> bool:
        """Tell whether an entry names a cluster; in a data file of its own, that may be the one at 0."""
        return bool(entry & OFFSET) or (self._header.external and bool(entry & COPIED))

    def _place(self, entry: int) -> int:
        offset = entry & OFFSET
        if offset % self._header.cluster or offset >= self._data.size:
            raise damaged(self.label, f"a cluster is at {offset}, in a file of {self._data.size} bytes")
        return offset

    def _unpack(self, number: int) -> bytes | bytearray:
        """Return a compressed cluster. Its entry has where it begins, and in how many further sectors it ends."""
        cluster = self._header.cluster
        table = self._l2(number // self._entries)
        assert table is not None
        entry = table[number % self._entries * (2 if self._header.extended else 1)]
        shift = 62 - (cluster.bit_length() - 1 - 8)
        offset = entry & ((1 << shift) - 1)
        sectors = (entry & (COMPRESSED - 1)) >> shift
        length = (sectors + 1) * SECTOR - offset % SECTOR
        if offset >= self._blocks.size:
            raise damaged(self.label, f"a compressed cluster is at {offset}, in a file of {self._blocks.size} bytes")
        packed = self._blocks.read(offset, min(length, self._blocks.size - offset))
        unpack = inflate.inflate_zstd if self._header.compression == ZSTD else inflate.inflate_raw
        unit = unpack(packed, size=cluster, label=self.label)
        if len(unit) != cluster:
            raise damaged(self.label, f"a compressed cluster has {len(unit)} bytes instead of {cluster}")
        return unit

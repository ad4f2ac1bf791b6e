"""One sparse extent of a VMDK: grains that a directory of tables names.

Three kinds of file: "KDMV", the sparse extent of hosted products, whose grains may be compressed (streamOptimized,
where the directory may be at the end); and "COWD", the older one of VMFS.
Source: VMware, "Virtual Disk Format 5.0", Hosted Sparse Extents, ESX Server Sparse Extents, Stream-Optimized Format.
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.formats import inflate
from jeos.disk.formats.mapped import (
    LARGEST_DIRECTORY,
    LARGEST_DISK,
    Mapped,
    Packed,
    Run,
    check_used,
    damaged,
    merged,
    parent_runs,
)

SECTOR = 512
HOSTED, ESX, SE = b"KDMV", b"COWD", b"\xbe\xba\xfe\xca"
HEADER = struct.Struct("<4sIIQQQQIQQQ?4sH")
NEW_LINES = b"\n \r\n"  # a transfer as text would have changed them
USES_NEW_LINES, ZERO_GRAINS, COMPRESSED, MARKERS = 1, 1 << 2, 1 << 16, 1 << 17
AT_END = (1 << 64) - 1  # where the directory is: in a second header, before the end of the file
FOOTER_FROM_END = 2 * SECTOR
DEFLATE = 1
ESX_HEADER = struct.Struct("<4sIIIIII")
ESX_TABLE_ENTRIES, MOST_TABLE_ENTRIES = 4096, 512
LARGEST_GRAIN = 16 << 20
MARKER = struct.Struct("<QI")  # the grain's first sector, and the length of what follows
TABLES_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Header:
    """What a sparse extent says of itself, in bytes; `table_entries` is how many grains one table names."""

    size: int
    grain: int
    table_entries: int
    directory: int
    descriptor: int = 0
    descriptor_size: int = 0
    zero_grains: bool = False
    compressed: bool = False
    markers: bool = False


def is_sparse(blocks: Blocks) -> bool:
    """Tell whether a file begins as a sparse extent."""
    return blocks.size >= SECTOR and blocks.read(0, 4) in (HOSTED, ESX, SE)


def read_header(blocks: Blocks, *, label: str) -> Header:
    """Read and check the header, and the footer where that counts. Raises InputError."""
    start = blocks.read(0, SECTOR)
    if start.startswith(SE):
        raise InputError(f"{label} is in VMware's seSparse format", hint="consolidate the snapshots, or export as OVF")
    if start.startswith(ESX):
        _, _, _, sectors, grain, directory, _ = ESX_HEADER.unpack_from(start)
        header = Header(sectors * SECTOR, grain * SECTOR, ESX_TABLE_ENTRIES, directory * SECTOR)
    else:
        header = _hosted(blocks, start, label=label)
    if not SECTOR <= header.grain <= LARGEST_GRAIN or header.grain & (header.grain - 1):
        raise damaged(label, f"grains of {header.grain} bytes are outside of the format")
    if header.size > LARGEST_DISK:
        raise damaged(label, f"it claims to have {header.size} bytes")
    return header


def _hosted(blocks: Blocks, start: bytes, *, label: str) -> Header:
    fields = HEADER.unpack_from(start)
    if fields[9] == AT_END:
        if blocks.size < FOOTER_FROM_END + SECTOR:
            raise damaged(label, "the end with its directory is missing")
        start = blocks.read(blocks.size - FOOTER_FROM_END, SECTOR)
        if not start.startswith(HOSTED):
            raise damaged(label, "the end with its directory is missing")
        fields = HEADER.unpack_from(start)
    _, version, flags, size, grain, descriptor, descriptor_size, entries, _, directory, _, _, lines, packing = fields
    if version not in (1, 2, 3):
        raise InputError(f"{label} is a VMDK of version {version}", hint="versions 1 to 3 are read")
    if flags & USES_NEW_LINES and lines != NEW_LINES:
        raise damaged(label, "it was transferred as text, which changed its bytes")
    if not 1 <= entries <= MOST_TABLE_ENTRIES:
        raise damaged(label, f"tables of {entries} entries are outside of the format")
    compressed = bool(flags & COMPRESSED)
    if compressed and packing != DEFLATE:
        raise InputError(f"{label} is compressed in an unknown way ({packing})", hint="deflate is read")
    return Header(
        size=size * SECTOR,
        grain=grain * SECTOR,
        table_entries=entries,
        directory=directory * SECTOR,
        descriptor=descriptor * SECTOR,
        descriptor_size=descriptor_size * SECTOR,
        zero_grains=bool(flags & ZERO_GRAINS),
        compressed=compressed,
        markers=bool(flags & MARKERS),
    )


class Sparse(Mapped):
    """A sparse extent, over what shows where it has no grain."""

    def __init__(self, blocks: Blocks, *, header: Header, parent: Blocks | None, label: str) -> None:
        """Read the directory. Raises InputError if it is damaged."""
        self.label, self.size = label, header.size
        self._blocks, self._header, self._parent = blocks, header, parent
        self._covered = header.grain * header.table_entries  # bytes of the disk, by one table
        entries = -(-header.size // self._covered)
        if entries * 4 > LARGEST_DIRECTORY:
            raise damaged(label, f"its directory would have {entries} entries")
        self._directory = self._read_table(header.directory, entries)
        tables = entries - self._directory.count(0)
        check_used(label, units=tables, unit=header.table_entries * 4, blocks=blocks)
        used = [entry for entry in self._directory if entry]
        if len(set(used)) != len(used):
            raise damaged(label, "its directory names one table twice")
        self._table = lru_cache(maxsize=TABLES_KEPT)(self._read_grains)
        self._packed = Packed(self._unpack, unit=header.grain, most=blocks.size * inflate.DEFLATE_RATIO)

    def _read_table(self, offset: int, entries: int) -> "array[int]":
        table = array("I", self._blocks.read(offset, entries * 4))
        if sys.byteorder == "big":
            table.byteswap()
        return table

    def _read_grains(self, number: int) -> "array[int] | None":
        sector = self._directory[number]
        return self._read_table(sector * SECTOR, self._header.table_entries) if sector else None

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the tables say."""
        return merged(self._each(start, end))

    def _each(self, start: int, end: int) -> Iterator[Run]:
        grain = self._header.grain
        while start < end:
            number, inside = divmod(start, self._covered)
            table = self._table(number)
            stop = min(end, start - inside + self._covered)
            if table is None:
                yield from parent_runs(self._parent, start, stop)
                start = stop
                continue
            while start < stop:
                last = min(stop, start - start % grain + grain)
                yield from self._grain(table[start % self._covered // grain], start, last)
                start = last

    def _grain(self, sector: int, start: int, end: int) -> Iterator[Run]:
        if not sector:
            yield from parent_runs(self._parent, start, end)
        elif sector == 1 and self._header.zero_grains:
            yield Run(start, end, None, 0)
        elif self._header.compressed:
            yield Run(start, end, self._packed, start)
        else:
            yield Run(start, end, self._blocks, sector * SECTOR + start % self._header.grain)

    def _unpack(self, number: int) -> bytes | bytearray:
        """Return a compressed grain. One that is shorter ends in zeros: some writers cut the last one of the disk."""
        header = self._header
        table = self._table(number // header.table_entries)
        assert table is not None
        index = number % header.table_entries
        offset = table[index] * SECTOR
        if header.markers:
            packed = self._marked(number, offset, after=table[index + 1 : index + 2])
        else:
            packed = memoryview(self._blocks.read(offset, min(2 * header.grain, self._blocks.size - offset)))
        unit = inflate.inflate_zlib(packed, size=header.grain, label=self.label)
        return unit if len(unit) == header.grain else bytes(unit).ljust(header.grain, b"\0")

    def _marked(self, number: int, offset: int, *, after: "array[int]") -> memoryview:
        """Return a packed grain without its marker; `after` has the sector of the next one, as a rule its end."""
        length = after[0] * SECTOR - offset if after else 0
        known = 0 < length <= self._header.grain + SECTOR
        content = memoryview(self._blocks.read(offset, length if known else MARKER.size))
        sector, size = MARKER.unpack_from(content)
        if sector * SECTOR != number * self._header.grain:
            raise damaged(self.label, f"the grain for sector {number * self._header.grain // SECTOR} says {sector}")
        if not 0 < size <= 2 * self._header.grain:
            raise damaged(self.label, f"a grain has {size} compressed bytes")
        if MARKER.size + size > len(content):
            return memoryview(self._blocks.read(offset + MARKER.size, size))
        return content[MARKER.size : MARKER.size + size]

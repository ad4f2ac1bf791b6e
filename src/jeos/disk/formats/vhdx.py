"""Microsoft's VHDX (Hyper-V): fixed, dynamic, and differencing over a parent.

A log that was not written back is applied. Source: Microsoft, [MS-VHDX], Virtual Hard Disk v2 (VHDX) File Format; the
numbers of sections below are its.
"""

import sys
from array import array
from collections.abc import Iterator
from functools import lru_cache

from jeos.core.errors import InputError
from jeos.disk import formats
from jeos.disk.blocks import Blocks
from jeos.disk.formats import vhdx_header, vhdx_log
from jeos.disk.formats.mapped import Mapped, Run, check_used, damaged, merged, parent_runs
from jeos.disk.formats.siblings import Place
from jeos.disk.formats.vhd import bit_runs
from jeos.disk.formats.vhdx_header import MIB, Metadata

SUFFIXES = (".vhdx", ".avhdx")  # of names
CHUNK_SECTORS = 1 << 23  # that one block of bits covers (2.5.1)
BITMAP_BLOCK = MIB
STATE, PLACE = 7, 0xFFFFFFFFFFF00000  # of an entry: the low three bits, and megabytes (2.5.1)
NOT_PRESENT, PRESENT, PARTLY = 0, 6, 7
UNDEFINED, ZERO, UNMAPPED = 1, 2, 3
BITMAPS_KEPT = 16


def probe(blocks: Blocks) -> bool:
    """Tell whether a file begins as a VHDX."""
    return blocks.size >= MIB and blocks.read(0, 8) == vhdx_header.FILE_SIGNATURE


def open(blocks: Blocks, place: Place) -> Blocks:
    """Return the disk, with what it lies over. Raises InputError."""
    header = vhdx_header.read_header(blocks, label=place.label)
    blocks = vhdx_log.replayed(blocks, header, label=place.label)
    regions = vhdx_header.read_regions(blocks, label=place.label)
    metadata = vhdx_header.read_metadata(blocks, regions, label=place.label)
    parent = _open_parent(metadata, place) if metadata.has_parent else None
    return Vhdx(blocks, table=regions.table, metadata=metadata, parent=parent, label=place.label)


def _open_parent(metadata: Metadata, place: Place) -> Blocks:
    """Return the disk below, which must still be as it was when this one was laid over it (2.6.2.6.3)."""
    locator = metadata.parent
    names = [locator.get(key, "") for key in ("relative_path", "absolute_win32_path", "volume_path")]
    file, there = place.open_parent(*names)
    found = vhdx_header.read_header(file, label=there.label).data_id
    wanted = {locator.get(key, "").strip("{}").lower() for key in ("parent_linkage", "parent_linkage2")}
    if str(found) not in wanted:
        expected = min(wanted - {""}, default="?")
        raise InputError(
            f"{place.label} lies over a disk with the content {expected}; {there.label} has {found}",
            hint="the disk below was written to after the snapshot, or is another one",
        )
    return formats.open_as(file, there, format="vhdx")


class Vhdx(Mapped):
    """A VHDX disk: blocks that a table names; after each chunk of them, one that has bits for their sectors."""

    def __init__(
        self, blocks: Blocks, *, table: tuple[int, int], metadata: Metadata, parent: Blocks | None, label: str
    ) -> None:
        """Read the table (place and length in bytes). Raises InputError if it does not fit the disk."""
        self.label, self.size = label, metadata.size
        self._blocks, self._block, self._sector, self._parent = blocks, metadata.block, metadata.sector, parent
        self._ratio = CHUNK_SECTORS * metadata.sector // metadata.block
        count = -(-metadata.size // metadata.block)
        entries = count + (count - 1) // self._ratio if parent is None else -(-count // self._ratio) * (self._ratio + 1)
        if entries * 8 > table[1]:
            raise damaged(label, f"a table of {table[1]} bytes does not fit {metadata.size} bytes of disk")
        self._table = array("Q", blocks.read(table[0], entries * 8))
        if sys.byteorder == "big":
            self._table.byteswap()
        used = sum(1 for entry in self._table if entry & STATE in (PRESENT, PARTLY))
        check_used(label, units=used, unit=MIB, blocks=blocks)
        self._bitmap = lru_cache(maxsize=BITMAPS_KEPT)(self._read_bitmap)

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the table and the bits say."""
        return merged(self._each(start, end))

    def _each(self, start: int, end: int) -> Iterator[Run]:
        while start < end:
            number, inside = divmod(start, self._block)
            stop = min(end, start - inside + self._block)
            entry = self._table[number + number // self._ratio]
            state = entry & STATE
            if state == PRESENT:
                yield Run(start, stop, self._blocks, self._place(entry) + inside)
            elif state == PARTLY and self._parent is not None:
                yield from self._sectors(number, self._place(entry), start, stop)
            elif state == NOT_PRESENT:
                yield from parent_runs(self._parent, start, stop)
            elif state in (UNDEFINED, ZERO, UNMAPPED):
                yield Run(start, stop, None, 0)
            else:
                raise damaged(self.label, f"block {number} is in the unknown state {state}")
            start = stop

    def _place(self, entry: int) -> int:
        place = entry & PLACE
        if not MIB <= place < self._blocks.size:
            raise damaged(self.label, f"a block is at {place}, in a file of {self._blocks.size} bytes")
        return place

    def _read_bitmap(self, chunk: int) -> bytes:
        entry = self._table[chunk * (self._ratio + 1) + self._ratio]
        if entry & STATE != PRESENT:
            raise damaged(self.label, f"the bits of the blocks from {chunk * self._ratio} on are missing")
        return self._blocks.read(self._place(entry), BITMAP_BLOCK)

    def _sectors(self, number: int, at: int, start: int, end: int) -> Iterator[Run]:
        """Yield what a block of a differencing disk has; the lowest bit of a byte is its first sector (2.5.2)."""
        first = number * self._block
        chunk, inside = divmod(number, self._ratio)
        bytes_of_bits = self._block // self._sector // 8
        bits = self._bitmap(chunk)[inside * bytes_of_bits : (inside + 1) * bytes_of_bits]
        for present, begins, ends in bit_runs(bits, start - first, end - first, sector_size=self._sector):
            if present:
                yield Run(first + begins, first + ends, self._blocks, at + begins)
            else:
                yield from parent_runs(self._parent, first + begins, first + ends)

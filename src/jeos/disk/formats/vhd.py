"""Microsoft's VHD (Virtual PC, Hyper-V, Azure): fixed, dynamic, and differencing over a parent.

Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0. Numbers are big-endian. The size is the one that
the footer gives in bytes, as Hyper-V, Azure and VirtualBox take it; its geometry in cylinders is not believed.
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlparse
from uuid import UUID

from jeos.core.errors import InputError
from jeos.disk import formats
from jeos.disk.blocks import Blocks, Window
from jeos.disk.formats.mapped import LARGEST_DISK, LARGEST_TABLE, Mapped, Run, check_used, damaged, merged, parent_runs
from jeos.disk.formats.siblings import Place

SUFFIXES = (".vhd", ".avhd", ".vpc")  # of names
COOKIE, DYNAMIC_COOKIE = b"conectix", b"cxsparse"
SECTOR = 512
FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB")
CHECKSUM_AT, FOOTER_SIZE = 64, 512
OLD_FOOTER_SIZE = 511  # of Virtual PC before 2004
DYNAMIC = struct.Struct(">8sQQIIII16sII")
DYNAMIC_SIZE, DYNAMIC_CHECKSUM_AT, PARENT_NAME_AT, LOCATORS_AT = 1024, 36, 64, 576
PARENT_NAME_SIZE, LOCATORS = 512, 8
LOCATOR = struct.Struct(">4sIIIQ")
FIXED, SPARSE, DIFFERENCING = 2, 3, 4
UNUSED = 0xFFFFFFFF
LARGEST_BLOCK = 256 << 20
LONGEST_LOCATOR = 4096
BITMAPS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer says: the kind of disk, its size and where its header is in bytes, and who it is."""

    kind: int
    size: int
    header: int
    uuid: UUID


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a disk that grows says: where its table is, and the size of a block in bytes."""

    table: int
    entries: int
    block: int
    parent: UUID
    parent_names: tuple[str, ...]


def probe(blocks: Blocks) -> bool:
    """Tell whether a file ends (or begins, if it grows) as a VHD."""
    if blocks.size < FOOTER_SIZE:
        return False
    end = blocks.read(blocks.size - FOOTER_SIZE, FOOTER_SIZE)
    return COOKIE in (end[:8], end[1:9], blocks.read(0, 8))


def open(blocks: Blocks, place: Place) -> Blocks:
    """Return the disk, with what it lies over. Raises InputError."""
    footer = read_footer(blocks, label=place.label)
    if footer.kind == FIXED:
        if footer.size > blocks.size:
            raise damaged(place.label, f"its disk has {footer.size} bytes, the file only {blocks.size}")
        return Window(blocks, start=0, size=footer.size)
    header = read_header(blocks, footer, label=place.label)
    parent = _open_parent(header, place) if footer.kind == DIFFERENCING else None
    return Dynamic(
        blocks, header=header, size=footer.size, parent=parent, bits=footer.kind == DIFFERENCING, label=place.label
    )


def checksum(content: bytes, *, at: int) -> int:
    """Return the ones' complement of the sum of all bytes, but for the four of the checksum itself."""
    return ~(sum(content) - sum(content[at : at + 4])) & 0xFFFFFFFF


def read_footer(blocks: Blocks, *, label: str) -> Footer:
    """Read the footer, or its copy at the start of a disk that grows. Raises InputError."""
    places = [(blocks.size - FOOTER_SIZE, FOOTER_SIZE), (0, FOOTER_SIZE), (blocks.size - OLD_FOOTER_SIZE, 511)]
    for at, length in places:
        content = blocks.read(at, length).ljust(FOOTER_SIZE, b"\0") if 0 <= at <= blocks.size - length else b""
        if content.startswith(COOKIE) and checksum(content, at=CHECKSUM_AT) == _number(content, CHECKSUM_AT):
            break
    else:
        raise damaged(label, "its footer is missing, or has a wrong checksum")
    fields = FOOTER.unpack_from(content)
    kind, size, header = fields[13], fields[9], fields[3]
    if kind not in (FIXED, SPARSE, DIFFERENCING):
        raise InputError(
            f"{label} is a VHD of the unknown type {kind}", hint="fixed, dynamic and differencing are read"
        )
    if size > LARGEST_DISK or size % SECTOR:
        raise damaged(label, f"it claims to have {size} bytes")
    return Footer(kind=kind, size=size, header=header, uuid=UUID(bytes=fields[15]))


def read_header(blocks: Blocks, footer: Footer, *, label: str) -> Header:
    """Read and check the header of a disk that grows. Raises InputError."""
    content = blocks.read(footer.header, DYNAMIC_SIZE)
    if not content.startswith(DYNAMIC_COOKIE):
        raise damaged(label, f"there is no header at {footer.header}")
    if checksum(content, at=DYNAMIC_CHECKSUM_AT) != _number(content, DYNAMIC_CHECKSUM_AT):
        raise damaged(label, "its header has a wrong checksum")
    _, _, table, _, entries, block, _, parent, _, _ = DYNAMIC.unpack_from(content)
    if not SECTOR <= block <= LARGEST_BLOCK or block & (block - 1):
        raise damaged(label, f"blocks of {block} bytes are outside of the format")
    needed = -(-footer.size // block)
    if entries < needed or needed * 4 > LARGEST_TABLE:
        raise damaged(label, f"a table of {entries} entries does not fit {footer.size} bytes")
    names = _parent_names(blocks, content, label=label) if footer.kind == DIFFERENCING else ()
    return Header(table=table, entries=needed, block=block, parent=UUID(bytes=parent), parent_names=names)


def _number(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big")


def _parent_names(blocks: Blocks, header: bytes, *, label: str) -> tuple[str, ...]:
    """Return what the parent may be called: relative paths first, then its plain name, then absolute paths."""
    found: dict[bytes, str] = {}
    for number in range(LOCATORS):
        kind, _, length, _, at = LOCATOR.unpack_from(header, LOCATORS_AT + number * LOCATOR.size)
        if kind in (b"W2ru", b"W2ku", b"MacX"):
            if length > LONGEST_LOCATOR:
                raise damaged(label, f"the name of its parent has {length} bytes")
            content = blocks.read(at, length)
            name = content.decode("utf-8" if kind == b"MacX" else "utf-16-le", errors="replace").rstrip("\0")
            found[kind] = unquote(urlparse(name).path) if kind == b"MacX" else name
    plain = header[PARENT_NAME_AT : PARENT_NAME_AT + PARENT_NAME_SIZE].decode("utf-16-be", errors="replace")
    return tuple(
        name for name in (found.get(b"W2ru"), plain.partition("\0")[0], found.get(b"W2ku"), found.get(b"MacX")) if name
    )


def _open_parent(header: Header, place: Place) -> Blocks:
    """Return the disk below, which must be the one that this one was laid over."""
    file, there = place.open_parent(*header.parent_names)
    uuid = read_footer(file, label=there.label).uuid
    if uuid != header.parent:
        raise InputError(
            f"{place.label} lies over the disk {header.parent}; {there.label} is the disk {uuid}",
            hint="put the right parent beside it",
        )
    return formats.open_as(file, there, format="vhd")


class Dynamic(Mapped):
    """A VHD that grows: blocks that a table names, each after a bitmap of its sectors."""

    def __init__(
        self, blocks: Blocks, *, header: Header, size: int, parent: Blocks | None, bits: bool, label: str
    ) -> None:
        """Read the table; `bits` tells that sectors which the bitmaps do not have are the parent's."""
        self.label, self.size = label, size
        self._blocks, self._block, self._parent, self._bits = blocks, header.block, parent, bits
        self._table = array("I", blocks.read(header.table, header.entries * 4))
        if sys.byteorder == "little":
            self._table.byteswap()
        check_used(label, units=header.entries - self._table.count(UNUSED), unit=header.block, blocks=blocks)
        self._bitmap_size = -(-header.block // SECTOR // 8 // SECTOR) * SECTOR
        self._bitmap = lru_cache(maxsize=BITMAPS_KEPT)(self._read_bitmap)

    def _read_bitmap(self, number: int) -> bytes:
        return self._blocks.read(self._table[number] * SECTOR, self._block // SECTOR // 8 or 1)

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the table and the bitmaps say."""
        return merged(self._each(start, end))

    def _each(self, start: int, end: int) -> Iterator[Run]:
        while start < end:
            number, inside = divmod(start, self._block)
            stop = min(end, start - inside + self._block)
            if self._table[number] == UNUSED:
                yield from parent_runs(self._parent, start, stop)
            elif self._bits:
                yield from self._sectors(number, start, stop)
            else:
                yield Run(start, stop, self._blocks, self._place(number) + inside)
            start = stop

    def _place(self, number: int) -> int:
        return self._table[number] * SECTOR + self._bitmap_size

    def _sectors(self, number: int, start: int, end: int) -> Iterator[Run]:
        """Yield what a block of a differencing disk has; the highest bit of a byte is its first sector."""
        first, at = number * self._block, self._place(number)
        for present, begins, ends in bit_runs(self._bitmap(number), start - first, end - first, highest_first=True):
            if present:
                yield Run(first + begins, first + ends, self._blocks, at + begins)
            else:
                yield from parent_runs(self._parent, first + begins, first + ends)


def bit_runs(
    bitmap: bytes, start: int, end: int, *, highest_first: bool = False, sector_size: int = SECTOR
) -> Iterator[tuple[bool, int, int]]:
    """Yield runs of sectors with the same bit, as (bit, start, end), in bytes between two offsets."""
    last, since = False, start
    whole = {0: False, 255: True}
    while start < end:
        sector = start // sector_size
        byte = bitmap[sector >> 3]
        if not sector & 7 and byte in whole:
            bit, stop = whole[byte], (sector + 8) * sector_size
        else:
            place = 7 - (sector & 7) if highest_first else sector & 7
            bit, stop = bool(byte >> place & 1), (sector + 1) * sector_size
        if bit != last:
            if since < start:
                yield last, since, start
            last, since = bit, start
        start = stop
    if since < end:
        yield last, since, end

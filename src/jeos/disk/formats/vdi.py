"""VirtualBox's VDI: dynamic, fixed, and differencing over a parent.

Source: VirtualBox's VDICore.h, as its documentation and QEMU's block/vdi.c describe it. A differencing disk does not
name the file below it, only its UUID: it is looked for among the files beside it.
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from jeos.core.errors import InputError
from jeos.disk import formats
from jeos.disk.blocks import Blocks
from jeos.disk.formats.mapped import LARGEST_DISK, LARGEST_TABLE, Mapped, Run, check_used, damaged, merged, parent_runs
from jeos.disk.formats.siblings import Place

SUFFIXES = (".vdi",)  # of names
SIGNATURE, SIGNATURE_AT = b"\x7f\x10\xda\xbe", 64
HEADER = struct.Struct("<64sIHHIII256sIIIIIIIQIIII16s16s16s16s")
DYNAMIC, FIXED, UNDO, DIFFERENCING = 1, 2, 3, 4
FREE, ZERO = 0xFFFFFFFF, 0xFFFFFFFE  # entries of blocks that were never written, and that were given back
SECTOR = 512
LARGEST_BLOCK = 256 << 20
MOST_CANDIDATES = 1000


@dataclass(frozen=True, slots=True)
class Header:
    """What a VDI says of itself; places and sizes in bytes."""

    kind: int
    size: int
    block: int
    extra: int
    entries: int
    table: int
    data: int
    uuid: UUID
    parent: UUID


def probe(blocks: Blocks) -> bool:
    """Tell whether a file begins as a VDI."""
    return blocks.size >= HEADER.size and blocks.read(SIGNATURE_AT, len(SIGNATURE)) == SIGNATURE


def open(blocks: Blocks, place: Place) -> Blocks:
    """Return the disk, with what it lies over. Raises InputError."""
    header = read_header(blocks, label=place.label)
    parent = _open_parent(header, place) if header.kind == DIFFERENCING else None
    return Vdi(blocks, header=header, parent=parent, label=place.label)


def read_header(blocks: Blocks, *, label: str) -> Header:
    """Read and check the header. Raises InputError."""
    fields = HEADER.unpack(blocks.read(0, HEADER.size))
    minor, major, kind, table, data = fields[2], fields[3], fields[5], fields[8], fields[9]
    size, block, extra, entries = fields[15:19]
    if major != 1:
        raise InputError(f"{label} is a VDI of version {major}.{minor}", hint="version 1 is read")
    if kind not in (DYNAMIC, FIXED, DIFFERENCING):
        raise InputError(f"{label} is a VDI of the unknown type {kind}", hint="dynamic, fixed, differencing are read")
    if not SECTOR <= block <= LARGEST_BLOCK or block & (block - 1) or extra > LARGEST_BLOCK:
        raise damaged(label, f"blocks of {block} bytes are outside of the format")
    if size > LARGEST_DISK or entries * block < size or entries * 4 > LARGEST_TABLE:
        raise damaged(label, f"a table of {entries} entries does not fit {size} bytes")
    return Header(
        kind=kind,
        size=size,
        block=block,
        extra=extra,
        entries=-(-size // block),
        table=table,
        data=data,
        uuid=UUID(bytes_le=fields[20]),
        parent=UUID(bytes_le=fields[22]),
    )


def _open_parent(header: Header, place: Place) -> Blocks:
    """Return the disk with the UUID of the parent among the files beside this one."""
    names = place.siblings.names() if place.siblings else ()
    for name in [one for one in names if one.lower().endswith(".vdi")][:MOST_CANDIDATES]:
        blocks, there = place.open(name)
        if probe(blocks) and read_header(blocks, label=there.label).uuid == header.parent:
            file, there = place.open_parent(name)
            return formats.open_as(file, there, format="vdi")
    raise InputError(
        f"{place.label} lies over the disk {header.parent}, which is not beside it",
        hint="copy all .vdi files of the machine into one folder, or merge its snapshots first",
    )


class Vdi(Mapped):
    """A VDI disk: blocks that a table names by their number in the file."""

    def __init__(self, blocks: Blocks, *, header: Header, parent: Blocks | None, label: str) -> None:
        """Read the table."""
        self.label, self.size = label, header.size
        self._blocks, self._header, self._parent = blocks, header, parent
        self._table = array("I", blocks.read(header.table, header.entries * 4))
        if sys.byteorder == "big":
            self._table.byteswap()
        used = header.entries - self._table.count(FREE) - self._table.count(ZERO)
        check_used(label, units=used, unit=header.block, blocks=blocks)

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the table says."""
        return merged(self._each(start, end))

    def _each(self, start: int, end: int) -> Iterator[Run]:
        header = self._header
        while start < end:
            number, inside = divmod(start, header.block)
            stop = min(end, start - inside + header.block)
            entry = self._table[number]
            if entry == ZERO:
                yield Run(start, stop, None, 0)
            elif entry == FREE:
                yield from parent_runs(self._parent, start, stop)
            else:
                at = header.data + entry * (header.block + header.extra) + header.extra
                yield Run(start, stop, self._blocks, at + inside)
            start = stop

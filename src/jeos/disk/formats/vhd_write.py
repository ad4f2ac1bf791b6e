"""Write a VHD, dynamic or fixed, as Hyper-V and Azure take it.

Azure takes fixed ones only, whose disk is a multiple of 1 MiB: the disk grows to that, with zeros.
Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0; for Azure, "Prepare a Windows VHD or VHDX to
upload to Azure".
"""

import struct
import uuid
from typing import BinaryIO

from jeos.core.errors import UsageError
from jeos.disk.blocks import Blocks
from jeos.disk.formats import raw_write, vhd
from jeos.disk.formats.ordered import Effort
from jeos.disk.formats.units import write_units

SUFFIX = ".vhd"
MIB = 1 << 20
BLOCK = 2 * MIB
BITMAP = b"\xff" * (BLOCK // vhd.SECTOR // 8)  # all sectors of a block are there
LARGEST = 2040 << 30  # bytes: what Hyper-V takes
FEATURES, VERSION = 2, 0x10000  # "reserved", which must be set
# Readers (QEMU, Xen) take a disk's size in bytes only from those that they know to mean it, and else its geometry,
# which is smaller: so this is what Hyper-V writes.
CREATOR, CREATOR_VERSION, CREATOR_HOST = b"win ", 0x60003, b"Wi2k"
NOWHERE = (1 << 64) - 1
TABLE_AT = 3 * vhd.SECTOR
LARGEST_GEOMETRY = 65535 * 16 * 255  # sectors


def write(blocks: Blocks, file: BinaryIO, *, effort: Effort = Effort.USUAL, fixed: bool = False) -> None:
    """Write a disk into an empty file; a `fixed` one is the raw disk with a footer.

    Raises UsageError if the disk is too large.
    """
    size = -(-blocks.size // MIB) * MIB
    if size > LARGEST:
        raise UsageError(f"a VHD cannot hold {size >> 30} GiB", hint="2,040 GiB is the most: take VHDX")
    if fixed:
        raw_write.write(blocks, file)
        file.seek(size)
        file.write(_footer(size, kind=vhd.FIXED))
        return
    entries = -(-size // BLOCK)
    first = TABLE_AT + -(-entries * 4 // vhd.SECTOR) * vhd.SECTOR
    table = write_units(blocks, file, unit=BLOCK, first=first, before=BITMAP)
    end = first + len(table) * (len(BITMAP) + BLOCK)
    footer = _footer(size, kind=vhd.SPARSE)
    numbers = [table[number] // vhd.SECTOR if number in table else vhd.UNUSED for number in range(entries)]
    file.seek(0)
    file.write(footer + _header(entries) + struct.pack(f">{entries}I", *numbers).ljust(first - TABLE_AT, b"\xff"))
    file.seek(end)
    file.write(footer)


def geometry(sectors: int) -> tuple[int, int, int]:
    """Return cylinders, heads and sectors in a track, as the appendix of the specification computes them."""
    sectors = min(sectors, LARGEST_GEOMETRY)
    if sectors >= 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    track = 17
    heads = max(4, -(-(sectors // track) // 1024))
    if sectors // track >= heads * 1024 or heads > 16:
        track, heads = 31, 16
    if sectors // track >= heads * 1024:
        track, heads = 63, 16
    return sectors // track // heads, heads, track


def _footer(size: int, *, kind: int) -> bytes:
    header = vhd.FOOTER_SIZE if kind == vhd.SPARSE else NOWHERE
    footer = vhd.FOOTER.pack(
        vhd.COOKIE,
        FEATURES,
        VERSION,
        header,
        0,
        CREATOR,
        CREATOR_VERSION,
        CREATOR_HOST,
        size,
        size,
        *geometry(size // vhd.SECTOR),
        kind,
        0,
        uuid.uuid4().bytes,
        0,
    ).ljust(vhd.FOOTER_SIZE, b"\0")
    return _sealed(footer, at=vhd.CHECKSUM_AT)


def _header(entries: int) -> bytes:
    header = vhd.DYNAMIC.pack(vhd.DYNAMIC_COOKIE, NOWHERE, TABLE_AT, VERSION, entries, BLOCK, 0, bytes(16), 0, 0)
    return _sealed(header.ljust(vhd.DYNAMIC_SIZE, b"\0"), at=vhd.DYNAMIC_CHECKSUM_AT)


def _sealed(record: bytes, *, at: int) -> bytes:
    return record[:at] + struct.pack(">I", vhd.checksum(record, at=at)) + record[at + 4 :]

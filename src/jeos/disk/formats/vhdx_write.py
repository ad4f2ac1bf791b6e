"""Write a dynamic VHDX, as Hyper-V takes it.

Blocks have 1 MiB, as Microsoft advises for Linux guests: ext4 writes a little everywhere, and larger blocks fill the
file up. Source: Microsoft, [MS-VHDX]; numbers of sections are its.
"""

import struct
import uuid
from typing import BinaryIO

from jeos.core.errors import UsageError
from jeos.disk.blocks import Blocks
from jeos.disk.formats import vhdx, vhdx_header
from jeos.disk.formats.crc32c import crc32c
from jeos.disk.formats.ordered import Effort
from jeos.disk.formats.units import write_units
from jeos.disk.formats.vhdx_header import KIB, MIB

SUFFIX = ".vhdx"
BLOCK = MIB
SECTOR, PHYSICAL_SECTOR = 512, 4096
CREATOR = "jeos"
LOG_AT, LOG_SIZE = MIB, MIB
METADATA_AT, METADATA_SIZE = 2 * MIB, MIB
TABLE_AT = 3 * MIB
ITEMS_AT = 64 * KIB  # after the table of the metadata
RATIO = vhdx.CHUNK_SECTORS * SECTOR // BLOCK
IS_DISK = 2  # an item that is about the disk, and not about the file (2.6.1.2)


def write(blocks: Blocks, file: BinaryIO, *, effort: Effort = Effort.USUAL) -> None:
    """Write a disk into an empty file. Raises UsageError if it is too large."""
    size = -(-blocks.size // SECTOR) * SECTOR
    if size > vhdx_header.LARGEST_DISK:
        raise UsageError(f"a VHDX cannot hold {size >> 40} TiB", hint="64 TiB is the most: take qcow2 or raw")
    count = -(-size // BLOCK)
    entries = [0] * (count + (count - 1) // RATIO)
    table_size = -(-len(entries) * 8 // MIB) * MIB
    places = write_units(blocks, file, unit=BLOCK, first=TABLE_AT + table_size)
    for number, place in places.items():
        entries[number + number // RATIO] = place | vhdx.PRESENT
    file.seek(0)
    file.write(vhdx_header.FILE_SIGNATURE + CREATOR.encode("utf-16-le"))
    for sequence, at in enumerate(vhdx_header.HEADERS_AT):
        _write(file, at, _header(sequence))
    for at in vhdx_header.REGIONS_AT:
        _write(file, at, _regions(table_size))
    _write(file, METADATA_AT, _metadata(size))
    _write(file, TABLE_AT, struct.pack(f"<{len(entries)}Q", *entries))


def _write(file: BinaryIO, at: int, content: bytes) -> None:
    file.seek(at)
    file.write(content)


def _header(sequence: int) -> bytes:
    """Return a header (2.2.2) that says that nothing is in the log."""
    ids = [uuid.uuid4().bytes_le, uuid.uuid4().bytes_le, bytes(16)]
    header = vhdx_header.HEADER.pack(vhdx_header.HEADER_SIGNATURE, 0, sequence, *ids, 0, 1, LOG_SIZE, LOG_AT)
    return _sealed(header.ljust(vhdx_header.HEADER_SIZE, b"\0"))


def _regions(table_size: int) -> bytes:
    """Return the table of regions (2.2.3)."""
    regions = vhdx_header.REGIONS.pack(vhdx_header.REGIONS_SIGNATURE, 0, 2, 0)
    regions += vhdx_header.REGION.pack(vhdx_header.TABLE_REGION.bytes_le, TABLE_AT, table_size, 1)
    regions += vhdx_header.REGION.pack(vhdx_header.METADATA_REGION.bytes_le, METADATA_AT, METADATA_SIZE, 1)
    return _sealed(regions.ljust(vhdx_header.REGIONS_SIZE, b"\0"))


def _metadata(size: int) -> bytes:
    """Return the metadata (2.6): a table, and the items that it names."""
    items = (
        (vhdx_header.PARAMETERS, struct.pack("<II", BLOCK, 0), 0),
        (vhdx_header.DISK_SIZE, struct.pack("<Q", size), IS_DISK),
        (vhdx_header.DISK_ID, uuid.uuid4().bytes_le, IS_DISK),
        (vhdx_header.LOGICAL_SECTOR, struct.pack("<I", SECTOR), IS_DISK),
        (vhdx_header.PHYSICAL_SECTOR, struct.pack("<I", PHYSICAL_SECTOR), IS_DISK),
    )
    table = vhdx_header.METADATA.pack(vhdx_header.METADATA_SIGNATURE, 0, len(items), b"")
    content = b""
    for guid, value, flags in items:
        place = ITEMS_AT + len(content)
        table += vhdx_header.ITEM.pack(guid.bytes_le, place, len(value), flags | vhdx_header.REQUIRED, 0)
        content += value
    return table.ljust(ITEMS_AT, b"\0") + content


def _sealed(record: bytes) -> bytes:
    return record[:4] + struct.pack("<I", crc32c(record[:4] + bytes(4) + record[8:])) + record[8:]

"""Write a dynamic VDI, as VirtualBox makes them.

Source: VirtualBox's VDICore.h, as its documentation and QEMU's block/vdi.c describe it.
"""

import struct
import uuid
from typing import BinaryIO

from jeos.core.errors import UsageError
from jeos.disk.blocks import Blocks
from jeos.disk.formats import vdi
from jeos.disk.formats.ordered import Effort
from jeos.disk.formats.units import write_units

SUFFIX = ".vdi"
BLOCK = 1 << 20
LARGEST = 0xFFFFFFF0 * BLOCK  # the table's entries have 32 bits
TEXT = b"<<< Oracle VM VirtualBox Disk Image >>>\n"
HEADER_SIZE = 400  # of version 1.1, from its own field on
TABLE_AT = 512


def write(blocks: Blocks, file: BinaryIO, *, effort: Effort = Effort.USUAL) -> None:
    """Write a disk into an empty file. Raises UsageError if it is too large."""
    size = -(-blocks.size // vdi.SECTOR) * vdi.SECTOR
    if size > LARGEST:
        raise UsageError(f"a VDI cannot hold {size >> 40} TiB", hint="take qcow2 or raw")
    entries = -(-size // BLOCK)
    first = -(-(TABLE_AT + entries * 4) // BLOCK) * BLOCK
    table = write_units(blocks, file, unit=BLOCK, first=first)
    numbers = [(table[number] - first) // BLOCK if number in table else vdi.FREE for number in range(entries)]
    header = vdi.HEADER.pack(
        TEXT,
        int.from_bytes(vdi.SIGNATURE, "little"),
        1,
        1,
        HEADER_SIZE,
        vdi.DYNAMIC,
        0,
        b"",
        TABLE_AT,
        first,
        0,
        0,
        0,
        vdi.SECTOR,
        0,
        size,
        BLOCK,
        0,
        entries,
        len(table),
        uuid.uuid4().bytes_le,
        uuid.uuid4().bytes_le,
        bytes(16),
        bytes(16),
    )
    file.seek(0)
    file.write(header.ljust(TABLE_AT, b"\0") + struct.pack(f"<{entries}I", *numbers))

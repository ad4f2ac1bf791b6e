"""Write a VMDK in VMware's streamOptimized form: compressed, front to back, without ever going back in the file.

    write(disk, file, effort=Effort.USUAL)

Each grain of 64 KiB is a zlib stream after its marker; tables follow the grains that they name, the directory and a
second header come last. Source: VMware, "Virtual Disk Format 5.0", Stream-Optimized Compressed Sparse Extents.
"""

import struct
from collections.abc import Callable
from typing import BinaryIO

from deflate import zlib_compress
from isal import isal_zlib

from jeos.disk.blocks import Blocks
from jeos.disk.formats import vmdk_sparse
from jeos.disk.formats.ordered import Effort, is_zero, ordered
from jeos.disk.formats.vmdk_sparse import SECTOR

SUFFIX = ".vmdk"
GRAIN = 64 << 10
TABLE_ENTRIES = 512
TABLE_SPAN = GRAIN * TABLE_ENTRIES  # bytes of the disk
DESCRIPTOR_AT, DESCRIPTOR_SECTORS = 1, 20
DATA_AT = 128  # sectors: where grains begin, as VMware's own writer has it
VERSION = 3  # compressed grains with markers
FLAGS = vmdk_sparse.USES_NEW_LINES | vmdk_sparse.COMPRESSED | vmdk_sparse.MARKERS
END_OF_STREAM, TABLE, DIRECTORY, FOOTER = 0, 1, 2, 3  # kinds of marker
MARKER = struct.Struct("<QII")
HARDWARE = 11  # virtual hardware that every VMware host in use takes (ESXi 6.0)
HEADS, TRACK = 255, 63  # the geometry that BIOSes give large disks

# libdeflate's level 6 makes smaller files than qemu-img in well under half of its time; isal's 1 takes a tenth.
PACKERS: dict[Effort, Callable[[bytes], bytes | bytearray]] = {
    Effort.FAST: lambda grain: isal_zlib.compress(grain, 1),
    Effort.USUAL: lambda grain: zlib_compress(grain, 6),
    Effort.SMALL: lambda grain: zlib_compress(grain, 9),
}


def write(blocks: Blocks, file: BinaryIO, *, effort: Effort = Effort.USUAL) -> None:
    """Write a disk from where the file is; only `write` is called. The disk grows to whole grains, with zeros."""
    capacity = -(-blocks.size // GRAIN) * GRAIN
    file.write(_header(capacity, directory=vmdk_sparse.AT_END))
    file.write(_descriptor(capacity).ljust((DATA_AT - DESCRIPTOR_AT) * SECTOR, b"\0"))
    grains = _Grains(file, tables=-(-capacity // TABLE_SPAN))
    pack = PACKERS[effort]
    for start, (places, packed) in ordered(blocks, lambda start, content: _pack(start, content, pack), unit=GRAIN):
        grains.add(start // GRAIN, places, packed)
    grains.end_table()
    place = grains.sector + 1
    file.write(_marked(DIRECTORY, _words(grains.directory)))
    file.write(_marked(FOOTER, _header(capacity, directory=place)))
    file.write(_marked(END_OF_STREAM, b""))


class _Grains:
    """Writes grains, and a table after the last grain that it names; keeps count of sectors."""

    def __init__(self, file: BinaryIO, *, tables: int) -> None:
        self.sector = DATA_AT
        self.directory = [0] * tables
        self._file = file
        self._number = 0
        self._table = [0] * TABLE_ENTRIES

    def add(self, first: int, places: list[tuple[int, int]], packed: bytes) -> None:
        """Write packed grains; `places` are their numbers after the first, and their sectors in there."""
        if first // TABLE_ENTRIES != self._number:
            self.end_table()
            self._number = first // TABLE_ENTRIES
        for number, sector in places:
            self._table[(first + number) % TABLE_ENTRIES] = self.sector + sector
        self._write(packed)

    def end_table(self) -> None:
        """Write the table, unless it names no grain."""
        if any(self._table):
            self.directory[self._number] = self.sector + 1
            self._write(_marked(TABLE, _words(self._table)))
            self._table = [0] * TABLE_ENTRIES

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self.sector += len(content) // SECTOR


def _pack(
    start: int, content: bytes, pack: Callable[[bytes], bytes | bytearray]
) -> tuple[list[tuple[int, int]], bytes]:
    """Return where each grain that is not zeros is, and all of them as they are written."""
    places: list[tuple[int, int]] = []
    parts: list[bytes | bytearray] = []
    sector = 0
    for at in range(0, len(content), GRAIN):
        grain = content[at : at + GRAIN]
        if is_zero(grain):
            continue
        packed = pack(grain if len(grain) == GRAIN else grain.ljust(GRAIN, b"\0"))
        length = vmdk_sparse.MARKER.size + len(packed)
        padding = -length % SECTOR
        parts += (vmdk_sparse.MARKER.pack((start + at) // SECTOR, len(packed)), packed, bytes(padding))
        places.append((at // GRAIN, sector))
        sector += (length + padding) // SECTOR
    return places, b"".join(parts)


def _words(numbers: list[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def _marked(kind: int, content: bytes) -> bytes:
    """Return metadata with its marker, each in whole sectors."""
    sectors = -(-len(content) // SECTOR)
    marker = MARKER.pack(sectors, 0, kind).ljust(SECTOR, b"\0")
    return marker + content.ljust(sectors * SECTOR, b"\0")


def _header(capacity: int, *, directory: int) -> bytes:
    """Return the first header, or the second one, which knows where the directory is (its sector)."""
    return vmdk_sparse.HEADER.pack(
        vmdk_sparse.HOSTED,
        VERSION,
        FLAGS,
        capacity // SECTOR,
        GRAIN // SECTOR,
        DESCRIPTOR_AT,
        DESCRIPTOR_SECTORS,
        TABLE_ENTRIES,
        0,
        directory,
        DATA_AT,
        False,
        vmdk_sparse.NEW_LINES,
        vmdk_sparse.DEFLATE,
    ).ljust(SECTOR, b"\0")


def _descriptor(capacity: int) -> bytes:
    sectors = capacity // SECTOR
    cylinders = min(65535, max(1, sectors // (HEADS * TRACK)))
    return (
        "# Disk DescriptorFile\n"
        "version=1\n"
        "CID=fffffffe\n"
        "parentCID=ffffffff\n"
        'createType="streamOptimized"\n'
        "\n"
        "# Extent description\n"
        f'RDONLY {sectors} SPARSE "disk.vmdk"\n'
        "\n"
        "# The Disk Data Base\n"
        "#DDB\n"
        "\n"
        'ddb.adapterType = "lsilogic"\n'
        f'ddb.geometry.cylinders = "{cylinders}"\n'
        f'ddb.geometry.heads = "{HEADS}"\n'
        f'ddb.geometry.sectors = "{TRACK}"\n'
        f'ddb.virtualHWVersion = "{HARDWARE}"\n'
    ).encode()

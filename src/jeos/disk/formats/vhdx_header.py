"""What a VHDX says of itself: its headers, the regions that they lead to, and the metadata of its disk.

Source: Microsoft, [MS-VHDX], 2.2 (header section), 2.6 (metadata region). Headers and region tables are kept twice.
"""

import struct
from dataclasses import dataclass, field
from uuid import UUID

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.formats.crc32c import crc32c
from jeos.disk.formats.mapped import LARGEST_TABLE, damaged

KIB, MIB = 1 << 10, 1 << 20
FILE_SIGNATURE = b"vhdxfile"
HEADERS_AT, HEADER_SIZE, HEADER_SIGNATURE = (64 * KIB, 128 * KIB), 4 * KIB, b"head"
HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")
REGIONS_AT, REGIONS_SIZE, REGIONS_SIGNATURE = (192 * KIB, 256 * KIB), 64 * KIB, b"regi"
REGIONS = struct.Struct("<4sIII")
REGION = struct.Struct("<16sQII")
MOST_REGIONS = 2047
TABLE_REGION = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
METADATA_REGION = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
METADATA_SIGNATURE, METADATA_SIZE = b"metadata", 64 * KIB
METADATA = struct.Struct("<8sHH20s")
ITEM = struct.Struct("<16sIIIi")
MOST_ITEMS = 1023
REQUIRED = 1 << 2
LARGEST_ITEM = MIB

PARAMETERS = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
DISK_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
DISK_ID = UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
LOGICAL_SECTOR = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
PHYSICAL_SECTOR = UUID("cda348c7-445d-4471-9cc9-e9885251c556")
PARENT_LOCATOR = UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
KNOWN = (PARAMETERS, DISK_SIZE, DISK_ID, LOGICAL_SECTOR, PHYSICAL_SECTOR, PARENT_LOCATOR)
VHDX_PARENT = UUID("b04aefb7-d19e-4a81-b789-25b8e9445913")  # the type of locator that is defined (2.6.2.6.1)
HAS_PARENT = 2
LARGEST_DISK = 64 << 40  # 2.6.2.2
SMALLEST_BLOCK, LARGEST_BLOCK = MIB, 256 * MIB  # 2.6.2.1
LOCATOR = struct.Struct("<16sHH")
LOCATOR_ENTRY = struct.Struct("<IIHH")


@dataclass(frozen=True, slots=True)
class Header:
    """The current header: `data_id` changes with the content of the disk; the log is empty where `log_id` is zero."""

    data_id: UUID
    log_id: UUID
    log_version: int
    log_at: int
    log_size: int


@dataclass(frozen=True, slots=True)
class Regions:
    """Place and length in bytes of the table of blocks and of the metadata."""

    table: tuple[int, int]
    metadata: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The disk's size, its blocks' and its sectors', in bytes; for one with a parent, what is known of that."""

    size: int
    block: int
    sector: int
    has_parent: bool
    parent: dict[str, str] = field(default_factory=dict)


def read_header(blocks: Blocks, *, label: str) -> Header:
    """Return the valid header with the highest sequence number (2.2.2). Raises InputError."""
    best: tuple[int, Header] | None = None
    for at in HEADERS_AT:
        content = blocks.read(at, HEADER_SIZE)
        signature, checksum, sequence, _, data, log, log_version, version, size, place = HEADER.unpack_from(content)
        if signature != HEADER_SIGNATURE or not _valid(content, checksum) or version != 1:
            continue
        if best is None or sequence > best[0]:
            header = Header(UUID(bytes_le=data), UUID(bytes_le=log), log_version, log_at=place, log_size=size)
            best = sequence, header
    if best is None:
        raise damaged(label, "neither of its two headers is valid")
    return best[1]


def read_regions(blocks: Blocks, *, label: str) -> Regions:
    """Return where the table and the metadata are (2.2.3). Raises InputError."""
    for at in REGIONS_AT:
        content = blocks.read(at, REGIONS_SIZE)
        signature, checksum, count, _ = REGIONS.unpack_from(content)
        if signature == REGIONS_SIGNATURE and count <= MOST_REGIONS and _valid(content, checksum):
            break
    else:
        raise damaged(label, "neither of its two tables of regions is valid")
    found: dict[UUID, tuple[int, int]] = {}
    for number in range(count):
        guid, at, length, required = REGION.unpack_from(content, REGIONS.size + number * REGION.size)
        region = UUID(bytes_le=guid)
        if region in (TABLE_REGION, METADATA_REGION):
            if at < MIB or at + length > blocks.size or length > LARGEST_TABLE:
                raise damaged(label, f"a region of {length} bytes is at {at}, in a file of {blocks.size} bytes")
            found[region] = at, length
        elif required & 1:
            raise InputError(f"{label} needs the region {region}, which is not known", hint="convert it with Hyper-V")
    if len(found) != 2:
        raise damaged(label, "the table of its blocks, or its metadata, is missing")
    return Regions(table=found[TABLE_REGION], metadata=found[METADATA_REGION])


def read_metadata(blocks: Blocks, regions: Regions, *, label: str) -> Metadata:
    """Return what the metadata says of the disk (2.6). Raises InputError."""
    items = _read_items(blocks, regions.metadata, label=label)
    missing = [key for key in (PARAMETERS, DISK_SIZE, LOGICAL_SECTOR) if key not in items]
    if missing or len(items[PARAMETERS]) < 8 or len(items[DISK_SIZE]) < 8 or len(items[LOGICAL_SECTOR]) < 4:
        raise damaged(label, "its metadata lacks the size of the disk, its blocks or its sectors")
    block, flags = struct.unpack_from("<II", items[PARAMETERS])
    (size,) = struct.unpack_from("<Q", items[DISK_SIZE])
    (sector,) = struct.unpack_from("<I", items[LOGICAL_SECTOR])
    if not SMALLEST_BLOCK <= block <= LARGEST_BLOCK or block & (block - 1):
        raise damaged(label, f"blocks of {block} bytes are outside of the format")
    if sector not in (512, 4096):
        raise damaged(label, f"sectors of {sector} bytes are outside of the format")
    if not 0 < size <= LARGEST_DISK or size % sector:
        raise damaged(label, f"it claims to have {size} bytes")
    parent = _read_parent(items.get(PARENT_LOCATOR, b""), label=label) if flags & HAS_PARENT else {}
    return Metadata(size=size, block=block, sector=sector, has_parent=bool(flags & HAS_PARENT), parent=parent)


def _read_items(blocks: Blocks, region: tuple[int, int], *, label: str) -> dict[UUID, bytes]:
    start, length = region
    if length < METADATA_SIZE:
        raise damaged(label, f"its metadata has {length} bytes")
    table = blocks.read(start, METADATA_SIZE)
    signature, _, count, _ = METADATA.unpack_from(table)
    if signature != METADATA_SIGNATURE or count > MOST_ITEMS:
        raise damaged(label, "its metadata does not begin as such")
    items: dict[UUID, bytes] = {}
    for number in range(count):
        guid, at, size, flags, _ = ITEM.unpack_from(table, METADATA.size + number * ITEM.size)
        key = UUID(bytes_le=guid)
        if key in KNOWN:
            if size > LARGEST_ITEM or at + size > length:
                raise damaged(label, f"an item of its metadata has {size} bytes at {at}")
            items[key] = blocks.read(start + at, size)
        elif flags & REQUIRED:
            raise InputError(f"{label} needs the metadata {key}, which is not known", hint="convert it with Hyper-V")
    return items


def _read_parent(content: bytes, *, label: str) -> dict[str, str]:
    """Return the keys and values that say which disk is below (2.6.2.6)."""
    if len(content) < LOCATOR.size:
        raise damaged(label, "it does not say which disk it lies over")
    kind, _, count = LOCATOR.unpack_from(content)
    if UUID(bytes_le=kind) != VHDX_PARENT or LOCATOR.size + count * LOCATOR_ENTRY.size > len(content):
        raise damaged(label, "it does not say in a known way which disk it lies over")
    found = {}
    for number in range(count):
        place = LOCATOR.size + number * LOCATOR_ENTRY.size
        key_at, value_at, key_length, value_length = LOCATOR_ENTRY.unpack_from(content, place)
        key = content[key_at : key_at + key_length].decode("utf-16-le", errors="replace")
        found[key] = content[value_at : value_at + value_length].decode("utf-16-le", errors="replace")
    return found


def _valid(content: bytes, checksum: int) -> bool:
    """Tell whether the checksum is that of the content, with zeros in its own place."""
    return crc32c(content[:4] + bytes(4) + content[8:]) == checksum

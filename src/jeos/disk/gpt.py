"""GUID partition tables: protective MBR, table and its backup, written to and read from disk images.

    with path.open("r+b") as disk:
        gpt.write(disk, partitions, size=size, disk_uuid="6f1d…")
        gpt.read(disk).partitions
        gpt.rename(disk, {4: ("hello_1.1", "8c9d…"), 5: ("hello_1.1", "77aa…")})     # in place, whatever happens

After the UEFI specification 2.10, chapter 5. Only the table is written, so the image may be sparse. Sectors have 512
bytes; a table in larger ones can be read. Alignment is the caller's choice; `FIRST_BYTE` and `LAST_BYTES` say what the
tables themselves take.
"""

import os
import struct
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from jeos.core.errors import InputError
from jeos.model.image import MEBIBYTE, SECTOR, TYPE_ROOT, TYPE_ROOT_VERITY, Partition

ALIGNMENT = MEBIBYTE  # what partitioning tools use, so that no disk's own block size matters
FIRST_BYTE = ALIGNMENT  # the first partition starts here
_ENTRY_COUNT, _ENTRY_SIZE = 128, 128
_TABLE_SECTORS = _ENTRY_COUNT * _ENTRY_SIZE // SECTOR
LAST_BYTES = (_TABLE_SECTORS + 1) * SECTOR  # the backup table with its header, at the very end

_NAME_UNITS = 36  # UTF-16 units of a partition's label
_LARGEST_COUNT = 1024  # entries; a table with more is damaged, or meant to exhaust memory

_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_SIGNATURE, _REVISION = b"EFI PART", 0x00010000
_PROTECTIVE = 0xEE

READ_ONLY = 1 << 60  # discoverable partitions specification, "Partition Attributes"


_Copy = tuple[bytes, tuple[Any, ...], bytes]


@dataclass(frozen=True, slots=True)
class Table:
    """What a disk's partition table says; `size` is that of the disk, in bytes."""

    disk_uuid: str
    size: int
    partitions: tuple[Partition, ...]


def label_of(text: str) -> str:
    """Return text cut to what fits into a partition's label."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    return encoded[: _NAME_UNITS * 2].decode("utf-16-le", "ignore")


def write(disk: BinaryIO, partitions: Sequence[Partition], *, size: int, disk_uuid: str) -> None:
    """Write the table of a disk of `size` bytes, and make the file that large.

    Systems and their hashes get the attribute "read-only". Raises InputError for partitions that overlap, that are
    not on whole sectors, or that do not fit.
    """
    _check(partitions, size=size)
    entries = bytearray(_ENTRY_COUNT * _ENTRY_SIZE)
    for partition in partitions:
        entry = _ENTRY.pack(
            uuid.UUID(partition.type).bytes_le,
            uuid.UUID(partition.uuid).bytes_le,
            partition.start // SECTOR,
            (partition.start + partition.size) // SECTOR - 1,
            READ_ONLY if partition.type in (TYPE_ROOT, TYPE_ROOT_VERITY) else 0,
            partition.label.encode("utf-16-le"),
        )
        place = (partition.number - 1) * _ENTRY_SIZE
        entries[place : place + _ENTRY_SIZE] = entry
    last = size // SECTOR - 1
    disk.truncate(size)
    disk.seek(0)
    disk.write(_protective_mbr(last))
    disk.write(_header(bytes(entries), mine=1, other=last, table=2, last=last, disk_uuid=disk_uuid))
    disk.write(entries)
    disk.seek((last - _TABLE_SECTORS) * SECTOR)
    disk.write(entries)
    disk.write(_header(bytes(entries), mine=last, other=1, table=last - _TABLE_SECTORS, last=last, disk_uuid=disk_uuid))


def _check(partitions: Iterable[Partition], *, size: int) -> None:
    if size % SECTOR:
        raise InputError(f"a disk of {size} bytes does not end on a sector of {SECTOR} bytes")
    end, before = (2 + _TABLE_SECTORS) * SECTOR, "the partition table"
    numbers = set()
    for partition in sorted(partitions, key=lambda partition: partition.start):
        name = f"partition {partition.number} ({partition.label})"
        if partition.start % SECTOR or partition.size % SECTOR or partition.size <= 0:
            raise InputError(f"{name}: {partition.size} bytes at {partition.start} are not whole sectors")
        if partition.start < end:
            raise InputError(f"{name} starts at byte {partition.start}, inside {before}, which ends at {end}")
        if partition.number in numbers or not 1 <= partition.number <= _ENTRY_COUNT:
            raise InputError(f"{name}: numbers must be unique, from 1 to {_ENTRY_COUNT}")
        if len(partition.label.encode("utf-16-le")) > _NAME_UNITS * 2:
            raise InputError(f"{name}: the label is longer than {_NAME_UNITS} characters")
        numbers.add(partition.number)
        end, before = partition.start + partition.size, name
    if end > size - LAST_BYTES:
        raise InputError(f"{before} ends at byte {end}, but a disk of {size} bytes has room until {size - LAST_BYTES}")


def _protective_mbr(last: int) -> bytes:
    entry = _MBR_ENTRY.pack(0, b"\x00\x02\x00", _PROTECTIVE, b"\xff\xff\xff", 1, min(last, 0xFFFFFFFF))
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def _header(entries: bytes, *, mine: int, other: int, table: int, last: int, disk_uuid: str) -> bytes:
    def pack(checksum: int) -> bytes:
        return _HEADER.pack(
            _SIGNATURE,
            _REVISION,
            _HEADER.size,
            checksum,
            0,
            mine,
            other,
            2 + _TABLE_SECTORS,
            last - _TABLE_SECTORS - 1,
            uuid.UUID(disk_uuid).bytes_le,
            table,
            _ENTRY_COUNT,
            _ENTRY_SIZE,
            zlib.crc32(entries),
        )

    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")


def read(disk: BinaryIO, *, sector: int = SECTOR) -> Table:
    """Return the partition table of a disk, from its backup if the first copy is damaged.

    `sector` is the size in bytes of those that the table counts. Raises InputError if neither copy holds.
    """
    size = disk.seek(0, 2)
    for position in (sector, size // sector * sector - sector):
        table = _read_copy(disk, position=position, size=size, sector=sector)
        if table is not None:
            return table
    raise InputError(
        "no intact GPT partition table on this disk", hint="`sgdisk --verify` says more about a damaged one"
    )


def _read_copy(disk: BinaryIO, *, position: int, size: int, sector: int) -> Table | None:
    copy = _copy_at(disk, position=position, size=size, sector=sector)
    if copy is None:
        return None
    _, fields, entries = copy
    partitions = (_read_entry(entries, index=index, size=fields[12], sector=sector) for index in range(fields[11]))
    return Table(
        disk_uuid=str(uuid.UUID(bytes_le=fields[9])),
        size=size,
        partitions=tuple(partition for partition in partitions if partition is not None),
    )


def _copy_at(disk: BinaryIO, *, position: int, size: int, sector: int = SECTOR) -> _Copy | None:
    """Return the sector of a header, its fields and its entries, if this copy of the table holds."""
    if position < 0:
        return None
    disk.seek(position)
    raw = disk.read(SECTOR)
    if len(raw) < _HEADER.size or not raw.startswith(_SIGNATURE):
        return None
    fields = _HEADER.unpack_from(raw)
    header_size, checksum, mine = fields[2], fields[3], fields[5]
    table, count, entry_size, entries_checksum = fields[10:14]
    if not _HEADER.size <= header_size <= SECTOR or mine * sector != position:
        return None
    if zlib.crc32(raw[:16] + bytes(4) + raw[20:header_size]) != checksum:
        return None
    if count > _LARGEST_COUNT or not _ENTRY.size <= entry_size <= SECTOR or table * sector > size:
        return None
    disk.seek(table * sector)
    entries = disk.read(count * entry_size)
    if len(entries) != count * entry_size or zlib.crc32(entries) != entries_checksum:
        return None
    return raw, fields, entries


def _read_entry(entries: bytes, *, index: int, size: int, sector: int) -> Partition | None:
    kind, own, first, last, _, name = _ENTRY.unpack_from(entries, index * size)
    if kind == bytes(16):
        return None
    return Partition(
        number=index + 1,
        label=name.decode("utf-16-le", "replace").partition("\0")[0],
        type=str(uuid.UUID(bytes_le=kind)),
        uuid=str(uuid.UUID(bytes_le=own)),
        start=first * sector,
        size=(last + 1 - first) * sector,
    )


def rename(disk: BinaryIO, changes: Mapping[int, tuple[str, str]]) -> None:
    """Give partitions, by number, another label and UUID, in both copies of the table of a disk in use.

    At every moment one copy holds, with the old names or the new ones: the copy that is not read first is written
    and flushed before the other. A disk that grew gets its backup at its new end. Raises InputError if there is no
    table, or no such partition.
    """
    size = disk.seek(0, 2)
    last = size // SECTOR - 1
    places = (SECTOR, last * SECTOR)
    copies = [_copy_at(disk, position=place, size=size) for place in places]
    found = copies[0] or copies[1]
    if found is None:
        raise InputError("no intact GPT partition table on this disk", hint="`sgdisk --verify` says more about it")
    header, fields, old = found
    entries = bytearray(old)
    for number, (label, own) in changes.items():
        at = (number - 1) * fields[12]
        if not 1 <= number <= fields[11] or entries[at : at + 16] == bytes(16):
            raise InputError(f"the disk has no partition {number}", hint="`sgdisk --print` lists those that there are")
        encoded = label.encode("utf-16-le")
        if len(encoded) > _NAME_UNITS * 2:
            raise InputError(f"{label!r} is too long for a partition: {_NAME_UNITS} characters fit")
        entries[at + 16 : at + 32] = uuid.UUID(own).bytes_le
        entries[at + 56 : at + 128] = encoded.ljust(_NAME_UNITS * 2, b"\0")
    length = -(-len(entries) // SECTOR)
    # Never the one that is read first: a cut in the middle of it must leave the other one whole.
    for mine, other in ((last, 1), (1, last)) if copies[0] else ((1, last), (last, 1)):
        table = 2 if mine == 1 else last - length
        disk.seek(table * SECTOR)
        disk.write(entries)
        disk.seek(mine * SECTOR)
        disk.write(_header_for(header, bytes(entries), mine=mine, other=other, table=table, usable=last - length - 1))
        disk.flush()
        os.fsync(disk.fileno())


def _header_for(header: bytes, entries: bytes, *, mine: int, other: int, table: int, usable: int) -> bytes:
    """Return a header that says where it is, where the other copy and its own entries are, and what these sum to."""
    fields = list(_HEADER.unpack_from(header))
    fields[3], fields[5], fields[6], fields[8], fields[10], fields[13] = (
        0,
        mine,
        other,
        usable,
        table,
        zlib.crc32(entries),
    )
    packed = _HEADER.pack(*fields) + header[_HEADER.size :]
    checksum = zlib.crc32(packed[: fields[2]])
    return packed[:16] + checksum.to_bytes(4, "little") + packed[20:]

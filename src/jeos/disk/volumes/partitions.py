"""Partition tables: GPT in sectors of 512 or 4096 bytes, and MBR with extended and logical partitions.

    table, volumes, notes = read(disk, name="sda", index=0)

What a table says is checked against the disk: a partition that is not on it is said, and left out. Of MBR there is no
specification; this follows what Linux does (block/partitions/msdos.c): logical partitions are a chain of tables in
the extended one, and are counted from 5.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk import blocks as disks
from jeos.disk import gpt
from jeos.disk.blocks import Blocks
from jeos.disk.volumes.base import Piece, Table, Volume
from jeos.model.image import SECTOR, Partition

SECTORS = (512, 4096)
_ENTRIES, _ENTRY_BYTES = 446, 16  # where the four entries of an MBR are
_ENTRY = struct.Struct("<B3sB3sII")
_SIGNATURE = b"\x55\xaa"
_DISK_ID = slice(440, 444)
_EXTENDED = (0x05, 0x0F, 0x85)
_PROTECTIVE = 0xEE
_FIRST_LOGICAL = 5
_LOGICAL_MOST = 128  # links of the chain; Linux stops far earlier
# Where the names of file systems stand whose first sector ends like an MBR.
_BOOT_SECTORS = ((3, b"NTFS"), (3, b"EXFAT"), (3, b"-FVE-FS-"), (54, b"FAT1"), (82, b"FAT32"))


@dataclass(frozen=True, slots=True)
class _Entry:
    status: int
    type: int
    start: int  # bytes, from where the table counts
    size: int


def read(disk: Blocks, *, name: str, index: int) -> tuple[Table, tuple[Volume, ...], tuple[str, ...]]:
    """Return a disk's table, its partitions, and notes on what is wrong with them.

    A disk without a table is one volume. Raises InputError only where the disk itself cannot be read.
    """
    sector, found = _gpt(disk)
    if found is not None:
        table = Table(name, disk.size, kind="gpt", uuid=found.disk_uuid, sector=sector)
        return _fitting(disk, table, list(found.partitions), index=index, notes=[])
    first = disk.read(0, SECTOR) if disk.size >= SECTOR else b""
    entries = _mbr(disk, first)
    if entries is None:
        volume = Volume(name, "disk", disk, (Piece(index, 0, disk.size),), disk=name)
        return Table(name, disk.size), (volume,), ()
    notes: list[str] = []
    if any(entry.type == _PROTECTIVE for entry in entries):
        notes.append(f"{name}: its GPT partition table is damaged, in both copies")
    identity = f"{int.from_bytes(first[_DISK_ID], 'little'):08x}"
    table = Table(name, disk.size, kind="dos", uuid=identity)
    return _fitting(disk, table, _dos_partitions(disk, entries, table=table, notes=notes), index=index, notes=notes)


def _gpt(disk: Blocks) -> tuple[int, gpt.Table | None]:
    for sector in SECTORS:
        if disk.size < 3 * sector:
            continue
        try:
            return sector, gpt.read(disks.stream(disk), sector=sector)
        except InputError:
            continue
    return SECTOR, None


def _mbr(disk: Blocks, first: bytes) -> list[_Entry] | None:
    """Return the four entries of the table in a disk's first sector, if that is what it is."""
    if first[-2:] != _SIGNATURE or any(first[at:].startswith(sign) for at, sign in _BOOT_SECTORS):
        return None
    entries = list(_entries(first))
    used = [entry for entry in entries if entry.type and entry.size]
    if not used or any(entry.status not in (0, 0x80) for entry in entries):
        return None
    if any(entry.start == 0 for entry in used) or all(entry.start >= disk.size for entry in used):
        return None
    return entries


def _entries(sector: bytes) -> Iterator[_Entry]:
    for at in range(_ENTRIES, _ENTRIES + 4 * _ENTRY_BYTES, _ENTRY_BYTES):
        status, _, kind, _, start, size = _ENTRY.unpack_from(sector, at)
        yield _Entry(status, kind, start * SECTOR, size * SECTOR)


def _dos_partitions(disk: Blocks, entries: list[_Entry], *, table: Table, notes: list[str]) -> list[Partition]:
    found = []
    number = _FIRST_LOGICAL
    for place, entry in enumerate(entries, start=1):
        if not entry.type or not entry.size:
            continue
        if entry.type not in _EXTENDED:
            found.append(_partition(place, entry, start=entry.start, table=table))
            continue
        for start, logical in _logical(disk, entry, name=table.disk, notes=notes):
            found.append(_partition(number, logical, start=start, table=table))
            number += 1
    return sorted(found, key=lambda partition: partition.number)


def _logical(disk: Blocks, extended: _Entry, *, name: str, notes: list[str]) -> Iterator[tuple[int, _Entry]]:
    """Yield each logical partition with its start; the chain of tables ends where it is cut off or turns in a loop."""
    seen: set[int] = set()
    at = extended.start
    while True:
        if at in seen or len(seen) >= _LOGICAL_MOST or at + SECTOR > disk.size:
            notes.append(
                f"{name}: the chain of logical partitions does not end; those after number {len(seen)} are lost"
            )
            return
        seen.add(at)
        sector = disk.read(at, SECTOR)
        if sector[-2:] != _SIGNATURE:
            return
        first, second = list(_entries(sector))[:2]
        if first.type and first.size and first.type not in _EXTENDED:
            yield at + first.start, first
        if second.type not in _EXTENDED or not second.size:
            return
        at = extended.start + second.start


def _partition(number: int, entry: _Entry, *, start: int, table: Table) -> Partition:
    return Partition(
        number=number,
        label="",
        type=f"{entry.type:02x}",
        uuid=f"{table.uuid}-{number:02x}",
        start=start,
        size=entry.size,
    )


def _fitting(
    disk: Blocks, table: Table, partitions: list[Partition], *, index: int, notes: list[str]
) -> tuple[Table, tuple[Volume, ...], tuple[str, ...]]:
    """Return the partitions that the disk has room for; one whose end is cut off is shown as far as it goes."""
    volumes = []
    for partition in partitions:
        name = f"{table.disk}{partition.number}"
        size = min(partition.size, disk.size - partition.start)
        if size <= 0:
            notes.append(f"{name}: the table puts it at byte {partition.start}, and the disk has {disk.size}")
            continue
        if size < partition.size:
            notes.append(f"{name}: only {size} of its {partition.size} bytes are on the disk, which is cut off")
        volumes.append(
            Volume(
                name=name,
                kind="partition",
                blocks=disks.Window(disk, start=partition.start, size=size),
                pieces=(Piece(index, partition.start, size),),
                disk=table.disk,
                number=partition.number,
                type=partition.type,
                label=partition.label,
                id=partition.uuid,
            )
        )
    return table, tuple(volumes), tuple(notes)

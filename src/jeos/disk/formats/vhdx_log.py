"""The log of a VHDX: changes of its tables that a host which crashed had not written to their places yet.

They are applied in memory, as the file is only read. Source: Microsoft, [MS-VHDX], 2.3 (log).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, check_range
from jeos.disk.formats.crc32c import crc32c
from jeos.disk.formats.mapped import damaged
from jeos.disk.formats.vhdx_header import MIB, Header

SECTOR = 4096
ENTRY = struct.Struct("<4sIIIQII16sQQ")
ENTRY_SIGNATURE, ZERO_SIGNATURE, DATA_SIGNATURE, SECTOR_SIGNATURE = b"loge", b"zero", b"desc", b"data"
DESCRIPTOR_SIZE = 32
ZERO = struct.Struct("<4s4sQQQ")
DATA = struct.Struct("<4s4s8sQQ")
LARGEST_LOG = 16 << 20  # bytes; Hyper-V and QEMU make logs of 1 MiB
CHECKED_TIMES = 4  # how often a byte of a log may pass through the checksum, which is slow
LENGTH_AT = 8  # of an entry
LARGEST_ZEROS = 1 << 30  # bytes that one log may clear: only tables are ever logged


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log: its place there, its number, how long it and the file are, and what it changes."""

    at: int
    length: int
    tail: int
    sequence: int
    file_size: int
    zeros: tuple[tuple[int, int], ...]
    sectors: tuple[tuple[int, bytes], ...]


class Patched:
    """A file with some of its sectors of 4 KiB replaced, and zeros after its end up to `size`."""

    def __init__(self, blocks: Blocks, *, size: int, sectors: dict[int, bytes]) -> None:
        """Show a file; `sectors` are keyed by their number."""
        self._blocks, self.size, self._sectors = blocks, size, sectors

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length)
        there = max(0, min(length, self._blocks.size - offset))
        content = bytearray(self._blocks.read(offset, there) if there else b"").ljust(length, b"\0")
        for number in range(offset // SECTOR, -(-(offset + length) // SECTOR)) if length else ():
            sector = self._sectors.get(number)
            if sector is not None:
                first, last = max(offset, number * SECTOR), min(offset + length, (number + 1) * SECTOR)
                content[first - offset : last - offset] = sector[first - number * SECTOR : last - number * SECTOR]
        return bytes(content)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield all there is."""
        if start < min(end, self.size):
            yield start, min(end, self.size)


def replayed(blocks: Blocks, header: Header, *, label: str) -> Blocks:
    """Return the file as it is once its log is applied. Raises InputError if the log is damaged."""
    if header.log_id == UUID(int=0):
        return blocks
    if header.log_version != 0:
        raise InputError(f"{label} has a log of version {header.log_version}", hint="open it once with Hyper-V")
    if not 0 < header.log_size <= LARGEST_LOG or header.log_size % MIB or header.log_at % MIB or header.log_at < MIB:
        raise damaged(label, f"its log has {header.log_size} bytes at {header.log_at}")
    log = blocks.read(header.log_at, header.log_size)
    entries = _active(log, header.log_id)
    if not entries:
        raise damaged(label, "its log has no valid entry")
    sectors: dict[int, bytes] = {}
    cleared = 0
    for entry in entries:
        for start, length in entry.zeros:
            cleared += length
            if cleared > LARGEST_ZEROS:
                raise damaged(label, f"its log clears more than {LARGEST_ZEROS} bytes")
            sectors.update(dict.fromkeys(range(start // SECTOR, (start + length) // SECTOR), bytes(SECTOR)))
        sectors.update((at // SECTOR, content) for at, content in entry.sectors)
    if any(entry.file_size > 2 * blocks.size + MIB * 1024 for entry in entries):
        raise damaged(label, "its log belongs to a much longer file")
    return Patched(blocks, size=max(blocks.size, entries[-1].file_size), sectors=sectors)


def _active(log: bytes, log_id: UUID) -> list[Entry]:
    """Return the newest sequence of entries that is whole: from the tail of its last entry to that entry (2.3.3)."""
    best: list[Entry] = []
    seen: set[int] = set()
    budget = CHECKED_TIMES * len(log)
    for start in range(0, len(log), SECTOR):
        run: list[Entry] = []
        at, total = start, 0
        while total < len(log) and at not in seen and log[at : at + 4] == ENTRY_SIGNATURE:
            budget -= int.from_bytes(log[at + LENGTH_AT : at + LENGTH_AT + 4], "little")
            entry = _entry(log, at, log_id) if budget > 0 else None
            if entry is None or (run and entry.sequence != run[-1].sequence + 1):
                break
            seen.add(at)
            run.append(entry)
            at, total = (at + entry.length) % len(log), total + entry.length
        places = {entry.at: number for number, entry in enumerate(run)}
        while run and places.get(run[-1].tail, len(run)) >= len(run):
            run.pop()
        if run and (not best or run[-1].sequence > best[-1].sequence):
            best = run[places[run[-1].tail] :]
    return best


def _entry(log: bytes, at: int, log_id: UUID) -> Entry | None:
    """Return the entry at a place of the log, or None if there is no valid one."""
    _, checksum, length, tail, sequence, count, _, guid, _, file_size = ENTRY.unpack_from(log, at)
    if UUID(bytes_le=guid) != log_id or not length or length % SECTOR or length > len(log):
        return None
    content = (log[at : at + length] + log[: max(0, at + length - len(log))])[:length]
    head = -(-(ENTRY.size + count * DESCRIPTOR_SIZE) // SECTOR) * SECTOR
    if head > length or crc32c(content[:4] + bytes(4) + content[8:]) != checksum:
        return None
    zeros: list[tuple[int, int]] = []
    sectors: list[tuple[int, bytes]] = []
    for number in range(count):
        place = ENTRY.size + number * DESCRIPTOR_SIZE
        kind = content[place : place + 4]
        if kind == ZERO_SIGNATURE:
            _, _, size, where, _ = ZERO.unpack_from(content, place)
            if size % SECTOR or where % SECTOR:
                return None
            zeros.append((where, size))
        elif kind == DATA_SIGNATURE:
            _, trailing, leading, where, _ = DATA.unpack_from(content, place)
            sector = content[head + len(sectors) * SECTOR : head + (len(sectors) + 1) * SECTOR]
            if len(sector) != SECTOR or not sector.startswith(SECTOR_SIGNATURE) or where % SECTOR:
                return None
            sectors.append((where, leading + sector[8:-4] + trailing))
        else:
            return None
    return Entry(at, length, tail, sequence, file_size, tuple(zeros), tuple(sectors))

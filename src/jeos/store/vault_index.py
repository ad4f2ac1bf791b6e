"""Where each chunk of a vault lies: tables of fixed records, sorted by the chunks' names.

A name is a BLAKE3 hash, so that names are spread evenly, and where one stands in a sorted table can be guessed from
its value: a table of any size is used as it was read, or mapped, without being unpacked into Python's objects.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jeos.store.codec import Form

RECORD = struct.Struct(">32s12sII")  # chunk, pack, offset, stored length with the form in its top bit
ID_SIZE, PACK_ID_SIZE = 32, 12
PACKED_BIT = 1 << 31  # set where a chunk is a zstd frame
PARTS = 256  # a merge goes through the tables by the first byte of the names, so that it needs little memory
GUESSES = 8  # steps by guessing before halving, should somebody have chosen names that are not spread evenly


@dataclass(frozen=True, slots=True)
class Location:
    """Where a chunk lies: pack, offset and stored length in bytes, and the form that it was packed in."""

    pack: bytes
    offset: int
    length: int
    form: Form

    @property
    def end(self) -> int:
        """Return the offset behind the chunk."""
        return self.offset + self.length


Entry = tuple[bytes, Location]


class Table:
    """A sorted table of records; one chunk may have several, where two writers stored it at the same time."""

    def __init__(self, records: bytes | memoryview = b"") -> None:
        """Take a table's bytes. Raises ValueError if they are no whole number of records."""
        if len(records) % RECORD.size:
            raise ValueError(f"{len(records)} bytes are no whole number of records")
        self.records = memoryview(records)
        self._count = len(records) // RECORD.size

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for chunk_id, pack, offset, length in RECORD.iter_unpack(self.records):
            yield chunk_id, _location(pack, offset, length)

    def find(self, chunk_id: bytes) -> Iterator[Location]:
        """Yield the places of a chunk."""
        for _, at in self.numbered(chunk_id):
            yield at

    def numbered(self, chunk_id: bytes) -> Iterator[tuple[int, Location]]:
        """Yield the places of a chunk with the numbers of their records."""
        number = self._first(chunk_id)
        while number < self._count:
            found, pack, offset, length = RECORD.unpack_from(self.records, number * RECORD.size)
            if found != chunk_id:
                return
            yield number, _location(pack, offset, length)
            number += 1

    def entry(self, number: int) -> Entry:
        """Return one record."""
        chunk_id, pack, offset, length = RECORD.unpack_from(self.records, number * RECORD.size)
        return chunk_id, _location(pack, offset, length)

    def packs(self) -> dict[bytes, int]:
        """Return the packs that are named, with the offset behind the last chunk of each that is known here."""
        ends: dict[bytes, int] = {}
        for _, pack, offset, length in RECORD.iter_unpack(self.records):
            end = offset + (length & ~PACKED_BIT)
            if end > ends.get(pack, 0):
                ends[pack] = end
        return ends

    def part(self, first_byte: int) -> memoryview:
        """Return the records of the chunks whose names begin with this byte."""
        start = self._first(bytes([first_byte]) + bytes(ID_SIZE - 1))
        end = self._count if first_byte == 0xFF else self._first(bytes([first_byte + 1]) + bytes(ID_SIZE - 1))
        return self.records[start * RECORD.size : end * RECORD.size]

    def _first(self, chunk_id: bytes) -> int:
        """Return the number of the first record whose name is not smaller."""
        low, high = 0, self._count
        key, low_key, high_key = int.from_bytes(chunk_id[:8]), 0, 1 << 64
        guesses = GUESSES
        while low < high:
            if guesses and low_key < high_key:
                guesses -= 1
                middle = low + min(high - low - 1, max(0, (key - low_key) * (high - low) // (high_key - low_key)))
            else:
                middle = (low + high) // 2
            start = middle * RECORD.size
            found = self.records[start : start + ID_SIZE]
            if bytes(found) < chunk_id:
                low, low_key = middle + 1, int.from_bytes(found[:8])
            else:
                high, high_key = middle, int.from_bytes(found[:8])
        return low


def make(entries: Iterable[Entry]) -> Table:
    """Return the table of these chunks."""
    return Table(
        b"".join(
            sorted(
                RECORD.pack(chunk_id, at.pack, at.offset, at.length | (PACKED_BIT if at.form is Form.ZSTD else 0))
                for chunk_id, at in entries
            )
        )
    )


def merge(tables: Iterable[Table], *, keep: Callable[[bytes], bool] = lambda pack: True) -> Table:
    """Return one table of all that these say about packs that are to be kept, each record once."""
    tables = list(tables)
    merged = bytearray()
    for first_byte in range(PARTS):
        records = set[bytes]()
        for table in tables:
            part = table.part(first_byte)
            records.update(bytes(part[start : start + RECORD.size]) for start in range(0, len(part), RECORD.size))
        merged += b"".join(sorted(record for record in records if keep(record[ID_SIZE : ID_SIZE + PACK_ID_SIZE])))
    return Table(bytes(merged))


def _location(pack: bytes, offset: int, length: int) -> Location:
    form = Form.ZSTD if length & PACKED_BIT else Form.PLAIN
    return Location(pack=pack, offset=offset, length=length & ~PACKED_BIT, form=form)

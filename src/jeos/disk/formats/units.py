"""Write a disk's data as units of one size (clusters, blocks) that follow one another, for formats with one table.

table = write_units(disk, file, unit=1 << 20, first=4 << 20)      # unit's number → its place in the file
"""

from typing import BinaryIO

from jeos.disk.blocks import PIECE, Blocks
from jeos.disk.formats.ordered import is_zero, ordered

HOLE = 64 << 10  # bytes of zeros that are left out where the file may have holes


def write_units(blocks: Blocks, file: BinaryIO, *, unit: int, first: int, before: bytes = b"") -> dict[int, int]:
    """Write the units that are not zeros, one after the other from `first` on, and return where each is.

    Each has `before` in front of it, which its place includes. A file that can have holes gets some within units.
    """
    table: dict[int, int] = {}
    place = first
    for start, content in ordered(blocks, _same, unit=min(unit, PIECE), most=min(unit, PIECE)):
        number, inside = divmod(start, unit)
        if number not in table:
            table[number] = place
            if before:
                file.seek(place)
                file.write(before)
            place += len(before) + unit
        write_sparse(file, table[number] + len(before) + inside, content)
    file.truncate(place)
    return table


def write_sparse(file: BinaryIO, place: int, content: bytes) -> None:
    """Write bytes at a place, and leave out zeros of 64 KiB."""
    start = 0
    for at in range(0, len(content), HOLE):
        if not content[at] and is_zero(content[at : at + HOLE]):  # most begin with something else: that costs no copy
            _write(file, place, content, start, at)
            start = at + HOLE
    _write(file, place, content, start, len(content))


def _write(file: BinaryIO, place: int, content: bytes, start: int, end: int) -> None:
    if start < end:
        file.seek(place + start)
        file.write(content[start:end] if end - start < len(content) else content)


def _same(start: int, content: bytes) -> bytes:
    return content

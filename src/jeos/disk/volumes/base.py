"""What a disk is divided into, as values: volumes that can be read, and the pieces of disks that they are made of."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, check_range

LETTERS = 26


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a disk in bytes: `disk` counts from 0, in the order in which the disks were given."""

    disk: int
    start: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Something that may hold a file system.

    `kind` is "partition", "logical" or "disk" (a whole disk without a table); `name` is "sda1", "group/volume", "sda".
    `pieces` are where its bytes lie, in order. `type`, `label` and `id` are what the partition table or LVM says:
    for GPT the type's and the partition's UUID, for MBR the type in hexadecimal and "disk-number".
    """

    name: str
    kind: str
    blocks: Blocks
    pieces: tuple[Piece, ...]
    disk: str = ""
    number: int = 0
    type: str = ""
    label: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A disk's partition table: `kind` is "gpt", "dos" or "" (none); `sector` is what it counts in, in bytes."""

    disk: str
    size: int
    kind: str = ""
    uuid: str = ""
    sector: int = 512


@dataclass(frozen=True, slots=True)
class Layout:
    """All that disks are divided into; `notes` say what could not be read."""

    tables: tuple[Table, ...]
    volumes: tuple[Volume, ...]
    notes: tuple[str, ...] = ()


def disk_name(index: int) -> str:
    """Return what Linux calls a disk by its number: sda, sdb, … sdz, sdaa."""
    letters = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, LETTERS)
        letters = chr(ord("a") + letter) + letters
    return f"sd{letters}"


class Joined:
    """Parts of disks, one behind the other, as one disk."""

    def __init__(self, parts: Sequence[tuple[Blocks, int, int]]) -> None:
        """Join (disk, start, size) in this order. Raises InputError where a disk does not have these bytes."""
        self._parts = list(parts)
        self._starts: list[int] = []
        self._size = 0
        for blocks, start, size in self._parts:
            check_range(blocks, start, size, name="a part of a logical volume")
            self._starts.append(self._size)
            self._size += size

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length, name="the volume")
        found = [
            blocks.read(start, end - start) for blocks, start, end, _ in self._overlapping(offset, offset + length)
        ]
        return found[0] if len(found) == 1 else b"".join(found)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that the disks have bytes for."""
        for blocks, first, last, shift in self._overlapping(start, min(end, self._size)):
            for found, until in blocks.data(first, last):
                yield found + shift, until + shift

    def _overlapping(self, start: int, end: int) -> Iterator[tuple[Blocks, int, int, int]]:
        """Yield the parts between two offsets: the disk, where in it, and how far our offsets are from its."""
        index = max(0, bisect_right(self._starts, start) - 1)
        while start < end and index < len(self._parts):
            blocks, place, size = self._parts[index]
            shift = self._starts[index] - place
            until = min(end, self._starts[index] + size)
            if start < until:
                yield blocks, start - shift, until - shift, shift
                start = until
            index += 1


def damaged(what: str) -> InputError:
    """Return the error for tables that contradict themselves."""
    return InputError(f"the disk's tables are damaged: {what}", hint="`sgdisk --verify` or `vgck` may tell more")

"""Where the bytes of an XFS inode are: a list of extents in it, or a tree of such lists.

After "XFS Algorithms & Data Structures", chapter "Data Extents".
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.disk.filesystems.extents import Metadata, damage

damaged = damage("XFS", tool="xfs_repair -n")

_EXTENT_BYTES = 16
_PAIR = struct.Struct(">QQ")
_TREE_V4, _TREE_V5 = b"BMAP", b"BMA3"
_HEADER_V4, _HEADER_V5 = 24, 72  # bytes before a tree block's keys or extents
_LEVELS = 9  # XFS_BM_MAXLEVELS
_OFFSETS_END = 1 << 54

_Extent = tuple[int, int, int]  # block in the file, block on the disk, count


@dataclass(frozen=True, slots=True)
class Geometry:
    """How block numbers become places: the upper bits say which allocation group, the lower ones which block in it."""

    block: int
    group_blocks: int
    groups: int
    group_log: int
    version: int

    def place(self, number: int) -> int:
        """Return where a block is, in bytes. Raises InputError for one that is in no group."""
        group, within = number >> self.group_log, number & ((1 << self.group_log) - 1)
        if group >= self.groups or within >= self.group_blocks:
            raise damaged(f"block {within} of group {group}")
        return (group * self.group_blocks + within) * self.block


def fork_extents(
    fork: bytes, metadata: Metadata, geometry: Geometry, *, tree: bool, count: int, first: int, end: int
) -> Iterator[_Extent]:
    """Yield the written extents of an inode that reach into the blocks from `first` to `end`, in order."""
    if not tree:
        if count * _EXTENT_BYTES > len(fork):
            raise damaged(f"{count} extents are in an inode that has no room for them")
        yield from _in_list(fork[: count * _EXTENT_BYTES], first=first, end=end, low=0, high=_OFFSETS_END)
        return
    level, records = struct.unpack_from(">HH", fork)
    room = (len(fork) - 4) // _EXTENT_BYTES
    if not 1 <= level <= _LEVELS or records > room:
        raise damaged(f"a tree of extents of {level} levels with {records} of {room} records")
    keys = struct.unpack_from(f">{records}Q", fork, 4)
    pointers = struct.unpack_from(f">{records}Q", fork, 4 + room * 8)
    walk = _Tree(metadata, geometry, first=first, end=end)
    yield from walk.below(keys, pointers, level=level - 1, low=0, high=_OFFSETS_END)


class _Tree:
    def __init__(self, metadata: Metadata, geometry: Geometry, *, first: int, end: int) -> None:
        self._metadata, self._geometry, self._first, self._end = metadata, geometry, first, end

    def below(
        self, keys: tuple[int, ...], pointers: tuple[int, ...], *, level: int, low: int, high: int
    ) -> Iterator[_Extent]:
        """Yield the extents under some pointers; each has its own part of `low` to `high`, so that the walk ends."""
        for index, (key, pointer) in enumerate(zip(keys, pointers, strict=True)):
            until = keys[index + 1] if index + 1 < len(keys) else high
            if not low <= key < until <= high:
                raise damaged(f"a tree of extents has the keys {key} and {until}, outside {low} to {high}")
            low = until
            if key >= self._end:
                return
            if until > self._first:
                yield from self._block(pointer, level=level, low=key, high=until)

    def _block(self, pointer: int, *, level: int, low: int, high: int) -> Iterator[_Extent]:
        place = self._geometry.place(pointer)
        block = self._metadata(place // self._geometry.block)
        magic, own, records = block[:4], *struct.unpack_from(">HH", block, 4)
        header = _HEADER_V5 if magic == _TREE_V5 else _HEADER_V4
        if magic not in (_TREE_V4, _TREE_V5) or own != level or records > (len(block) - header) // _EXTENT_BYTES:
            raise damaged(f"block {pointer} is no block of level {level} of a tree of extents")
        if level == 0:
            content = block[header : header + records * _EXTENT_BYTES]
            yield from _in_list(content, first=self._first, end=self._end, low=low, high=high)
            return
        room = (len(block) - header) // _EXTENT_BYTES
        keys = struct.unpack_from(f">{records}Q", block, header)
        pointers = struct.unpack_from(f">{records}Q", block, header + room * 8)
        yield from self.below(keys, pointers, level=level - 1, low=low, high=high)


def _in_list(content: bytes, *, first: int, end: int, low: int, high: int) -> Iterator[_Extent]:
    """Yield extents, which are packed: 1 bit unwritten, 54 bits offset, 52 bits block, 21 bits count."""
    for upper, lower in _PAIR.iter_unpack(content):
        start = (upper >> 9) & ((1 << 54) - 1)
        place = (upper & 0x1FF) << 43 | lower >> 21
        count = lower & 0x1FFFFF
        if not count or not low <= start < start + count <= high:
            raise damaged(f"an extent of {count} blocks at {start} is outside {low} to {high}")
        low = start + count
        if start >= end:
            return
        if start + count > first and not upper >> 63:
            yield start, place, count

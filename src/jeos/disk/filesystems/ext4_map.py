"""Where the bytes of an ext4 inode are: in extents, in blocks that list blocks, or in the inode itself.

After the kernel's Documentation/filesystems/ext4/ifork.rst and inlinedata.rst.
"""

import struct
from collections.abc import Iterator

from jeos.disk.filesystems.extents import Metadata, Run, damage

damaged = damage("ext4", tool="e2fsck -fn")

MAPPED_BY_EXTENTS = 0x80000
INLINE = 0x10000000  # the data is in the inode

_HEADER = struct.Struct("<HHHH4x")
_EXTENT = struct.Struct("<IHHI")
_INDEX = struct.Struct("<IIH2x")
_EXTENT_MAGIC = 0xF30A
_DEPTH = 5
_UNWRITTEN = 1 << 15  # lengths above it: reserved, and zeros as yet

_DIRECT = 12  # blocks that an inode lists itself
_POINTER = 4

_XATTR_MAGIC = b"\x00\x00\x02\xea"
_XATTR = struct.Struct("<BBHIII")
_SYSTEM_DATA = (7, b"data")  # "system.data": what does not fit into the 60 bytes


def runs(block: bytes, metadata: Metadata, *, by_extents: bool, offset: int, length: int) -> Iterator[Run]:
    """Yield where the bytes between `offset` and `offset + length` are, in order; holes are left out.

    `block` is the inode's own 60 bytes. Raises InputError for a map that contradicts itself.
    """
    unit = metadata.unit
    first, end = offset // unit, -(-(offset + length) // unit)
    if by_extents:
        found = _extents(block, metadata, first=first, end=end, low=0, high=1 << 32, depth=None)
        for start, count, place in found:
            yield Run(start * unit, count * unit, place * unit)
        return
    yield from _joined(_listed(block, metadata, first=first, end=end), unit=unit)


def _extents(
    node: bytes, metadata: Metadata, *, first: int, end: int, low: int, high: int, depth: int | None
) -> Iterator[tuple[int, int, int]]:
    """Yield (block in the file, count, block on the disk) of the extents that reach into `first` to `end`.

    All of a node's must lie between `low` and `high` and in order, so that no node can lead to more than there is.
    """
    magic, entries, room, own_depth = _HEADER.unpack_from(node)
    if magic != _EXTENT_MAGIC or entries > room or _HEADER.size + entries * _EXTENT.size > len(node):
        raise damaged("a node of an inode's extents is none")
    if own_depth > _DEPTH or (depth is not None and own_depth != depth):
        raise damaged(f"an inode's extents are {own_depth} deep")
    if own_depth == 0:
        for start, count, place_high, place_low in _EXTENT.iter_unpack(node[12 : 12 + entries * 12]):
            written = count <= _UNWRITTEN
            count = count if written else count - _UNWRITTEN
            if not low <= start <= start + count <= high:
                raise damaged(f"an extent of {count} blocks at {start} is outside {low} to {high}")
            low = start + count
            if start >= end:
                return
            if start + count > first and written:
                yield start, count, place_low | place_high << 32
        return
    indexes = list(_INDEX.iter_unpack(node[12 : 12 + entries * 12]))
    for position, (start, child_low, child_high) in enumerate(indexes):
        until = indexes[position + 1][0] if position + 1 < len(indexes) else high
        if not low <= start < until <= high:
            raise damaged(f"a node of extents covers {start} to {until}, outside {low} to {high}")
        low = until
        if start >= end:
            return
        if until > first:
            child = metadata(child_low | child_high << 32)
            yield from _extents(child, metadata, first=first, end=end, low=start, high=until, depth=own_depth - 1)


def _listed(block: bytes, metadata: Metadata, *, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (block in the file, block on the disk) as the inode lists them: 12, and lists of one to three levels."""
    pointers = struct.unpack("<15I", block)
    for index in range(min(first, _DIRECT), min(end, _DIRECT)):
        if pointers[index]:
            yield index, pointers[index]
    per_list = metadata.unit // _POINTER
    start = _DIRECT
    for level in (1, 2, 3):
        span = per_list**level
        if first < start + span and end > start and pointers[_DIRECT + level - 1]:
            yield from _in_list(pointers[_DIRECT + level - 1], metadata, start=start, level=level, first=first, end=end)
        start += span


def _in_list(
    number: int, metadata: Metadata, *, start: int, level: int, first: int, end: int
) -> Iterator[tuple[int, int]]:
    per_list = metadata.unit // _POINTER
    span = per_list ** (level - 1)
    pointers = memoryview(metadata(number)).cast("I")
    for index in range(max(0, (first - start) // span), min(len(pointers), -(-(end - start) // span))):
        if not pointers[index]:
            continue
        if level == 1:
            yield start + index, pointers[index]
        else:
            yield from _in_list(
                pointers[index], metadata, start=start + index * span, level=level - 1, first=first, end=end
            )


def _joined(places: Iterator[tuple[int, int]], *, unit: int) -> Iterator[Run]:
    """Join blocks that lie one behind the other, in the file and on the disk."""
    start = count = place = 0
    for index, number in places:
        if count and index == start + count and number == place + count:
            count += 1
            continue
        if count:
            yield Run(start * unit, count * unit, place * unit)
        start, count, place = index, 1, number
    if count:
        yield Run(start * unit, count * unit, place * unit)


def inline_data(inode: bytes, *, size: int) -> bytes:
    """Return the data that is kept in an inode: 60 bytes, and the rest in its attribute "system.data"."""
    if size <= 60:
        return inode[40 : 40 + size]
    found = inode[40:100]
    base = 128 + int.from_bytes(inode[128:130], "little")
    if inode[base : base + 4] != _XATTR_MAGIC:
        raise damaged(f"{size} bytes are in an inode that has no room for them")
    base += 4
    position = base
    while position + _XATTR.size <= len(inode) and inode[position : position + 4] != bytes(4):
        name_length, index, offset, _, length, _ = _XATTR.unpack_from(inode, position)
        name = inode[position + _XATTR.size : position + _XATTR.size + name_length]
        if (index, name) == _SYSTEM_DATA:
            found += inode[base + offset : base + offset + length]
            break
        position += -(-(_XATTR.size + name_length) // 4) * 4
    if len(found) < size:
        raise damaged(f"{size} bytes are in an inode that holds {len(found)}")
    return found[:size]

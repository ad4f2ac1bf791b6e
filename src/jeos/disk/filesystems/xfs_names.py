"""The names in XFS folders: those that are kept in the inode, and those in blocks.

After "XFS Algorithms & Data Structures", chapter "Directories". Blocks of names look alike in folders of one block, of
many, and of many with an index: the index is in blocks of its own, which nobody needs who reads all names.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.disk.filesystems.xfs_map import damaged

_BLOCK_V4, _BLOCK_V5 = b"XD2B", b"XDB3"  # a folder of one block, with its index at the end
_DATA_V4, _DATA_V5 = b"XD2D", b"XDD3"
_HEADERS = {_BLOCK_V4: 16, _DATA_V4: 16, _BLOCK_V5: 64, _DATA_V5: 64}
_UNUSED = 0xFFFF
_SHORTEST = 16  # bytes of a record with a name of a few letters; gaps may have 8
_TAIL_BYTES, _LEAF_BYTES = 8, 8


@dataclass(frozen=True, slots=True)
class FolderFormat:
    """What the superblock says of folders; `block` is the size of a block of names in bytes."""

    version: int
    file_types: bool
    block: int


def local_names(content: bytes, form: FolderFormat) -> Iterator[tuple[bytes, int]]:
    """Yield name and inode of what a folder keeps in its inode."""
    if len(content) < 6:
        raise damaged("a folder is too short")
    size = 8 if content[1] else 4
    count = content[1] or content[0]
    position = 2 + size
    for _ in range(count):
        if position >= len(content):
            raise damaged("a folder ends within its names")
        length = content[position]
        name = content[position + 3 : position + 3 + length]
        position += 3 + length + form.file_types
        number = int.from_bytes(content[position : position + size], "big")
        position += size
        if position > len(content):
            raise damaged("a folder ends within its names")
        yield _checked(name), number


def names_in_block(block: bytes, form: FolderFormat) -> Iterator[tuple[bytes, int]]:
    """Yield name and inode of what a block of names holds."""
    header = _HEADERS.get(block[:4])
    if header is None:
        raise damaged(f"a block of names begins with {block[:4].hex()}")
    end = len(block)
    if block[:4] in (_BLOCK_V4, _BLOCK_V5):
        (count,) = struct.unpack_from(">I", block, end - _TAIL_BYTES)
        end -= _TAIL_BYTES + count * _LEAF_BYTES
        if end < header or end % 8:
            raise damaged(f"a folder of one block has {count} entries in its index")
    position = header
    while position < end:
        tag, length = struct.unpack_from(">HH", block, position)
        if tag == _UNUSED:
            if length < 8 or length % 8:
                raise damaged(f"a folder has a gap of {length} bytes")
            position += length
            continue
        if position + _SHORTEST > end:
            raise damaged("a record of a folder reaches over the end of its block")
        name_length = block[position + 8]
        number = int.from_bytes(block[position : position + 8], "big")
        length = -(-(9 + name_length + form.file_types + 2) // 8) * 8
        if position + length > end:
            raise damaged("a record of a folder reaches over the end of its block")
        yield _checked(block[position + 9 : position + 9 + name_length]), number
        position += length


def _checked(name: bytes) -> bytes:
    if not name or b"/" in name or b"\0" in name:
        raise damaged(f"a folder has the name {name!r}")
    return name

"""Write a tree as an uncompressed EROFS image: the read-only file system of a slot.

    with files.replace(path) as out:
        write(tree, out, read=lambda entry: paths[entry.digest], uuid=uuid, time=lock.date)

The image is one run of bytes from start to end, so `out` may be a pipe. Same tree, same bytes: everything that could
differ is decided in `erofs_layout` from the tree alone.
"""

import os
import uuid as uuids
from collections.abc import Callable
from io import BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO

from jeos.core.errors import InputError
from jeos.disk import erofs_format as fmt
from jeos.disk.erofs_format import BLOCK
from jeos.disk.erofs_layout import Folder, Inode, Layout, plan
from jeos.model.tree import TYPE_BITS, Entry, Kind, Tree

Read = Callable[[Entry], Path | bytes]

WRITE_BYTES = 1 << 20  # one write per MiB, from a buffer that stays in the core's cache


def write(tree: Tree, out: BinaryIO, *, read: Read, uuid: str, time: int, label: str = "") -> int:
    """Write the image of `tree` to `out` from where that stands, and return its length in bytes: whole 4 KiB blocks.

    `read` returns where a file's bytes are, or the bytes; it is asked once for each file, and once for all files of
    equal digest that are too large for their inode. `time` is the image's own, in seconds since 1970; inodes with
    another one take 64 bytes instead of 32. Raises InputError if the tree cannot be stored, if the label is longer
    than 15 bytes, or if a file does not have the size that the tree says.
    """
    layout = plan(tree, time=time)
    head = make_head(layout, uuid=uuid, time=time, label=label)
    view = memoryview(head)
    for inode in layout.inodes.values():
        if inode.inline and inode.entry.kind is Kind.FILE:
            _put_file(view[inode.data_position :], read(inode.entry), entry=inode.entry)
    seal_head(head)
    out.write(head)
    blocks = _Blocks(out)
    for inode in layout.files:
        blocks.add(read(inode.entry), entry=inode.entry)
    blocks.flush()
    return layout.size


def make_head(layout: Layout, *, uuid: str, time: int, label: str = "") -> bytearray:
    """Return everything before the first file with blocks of its own, small files empty; `seal_head` completes it.

    Raises InputError if the label is longer than 15 bytes.
    """
    head = bytearray(layout.data_start)
    for inode in layout.inodes.values():
        _put_inode(head, inode)
    for path, folder in layout.folders.items():
        _put_folder(head, folder, position=layout.inodes[path].data_position, layout=layout)
    start = layout.xattr_block * BLOCK
    head[start : start + len(layout.shared_xattrs)] = layout.shared_xattrs
    _put_superblock(head, layout, uuid=uuid, time=time, label=label)
    return head


def seal_head(head: bytearray) -> None:
    """Put the checksum of the first block, small files included, into the superblock."""
    field = fmt.SUPERBLOCK_OFFSET + fmt.CHECKSUM_OFFSET
    head[field : field + 4] = bytes(4)
    head[field : field + 4] = fmt.checksum(head).to_bytes(4, "little")


def _put_superblock(head: bytearray, layout: Layout, *, uuid: str, time: int, label: str) -> None:
    name = label.encode()
    if len(name) > fmt.LABEL_BYTES:
        raise InputError(f"the label {label!r} is longer than {fmt.LABEL_BYTES} bytes")
    fields = fmt.Superblock(
        root_nid=layout.inodes[""].nid,
        inodes=len(layout.inodes),
        time=time,
        blocks=layout.size // BLOCK,
        meta_block=0,
        xattr_block=layout.xattr_block,
        uuid=uuids.UUID(uuid).bytes,
        label=name,
    )
    end = fmt.SUPERBLOCK_OFFSET + fmt.SUPERBLOCK.size
    head[fmt.SUPERBLOCK_OFFSET : end] = fields.pack()


def _put_inode(head: bytearray, inode: Inode) -> None:
    """Put an inode, its extended attributes and a symbolic link's target where they belong."""
    entry = inode.entry
    layout = fmt.LAYOUT_INLINE if inode.inline else fmt.LAYOUT_PLAIN
    format_bits = layout << fmt.LAYOUT_SHIFT | inode.extended
    # The count is one more than the words after the header, so that 0 is left to say "none at all".
    xattr_count = 1 + (len(inode.xattrs) - fmt.XATTR_HEADER.size) // fmt.XATTR_UNIT if inode.xattrs else 0
    mode = TYPE_BITS[entry.kind] | entry.mode
    node = entry.kind in (Kind.CHARACTER, Kind.BLOCK)
    data = fmt.encode_device(*entry.device) if node else inode.block
    number = inode.nid & 0xFFFFFFFF  # told to 32-bit programs only
    if inode.extended:
        fmt.EXTENDED_INODE.pack_into(
            *(head, inode.position, format_bits, xattr_count, mode, 0, inode.size, data, number),
            *(entry.uid, entry.gid, entry.mtime, 0, inode.links),
        )
        end = inode.position + fmt.EXTENDED_INODE.size
    else:
        fmt.COMPACT_INODE.pack_into(
            *(head, inode.position, format_bits, xattr_count, mode, inode.links, inode.size, 0, data, number),
            *(entry.uid, entry.gid, 0),
        )
        end = inode.position + fmt.COMPACT_INODE.size
    head[end : end + len(inode.xattrs)] = inode.xattrs
    if entry.kind is Kind.SYMLINK:
        head[inode.data_position : inode.data_position + inode.size] = os.fsencode(entry.target)


def _put_folder(head: bytearray, folder: Folder, *, position: int, layout: Layout) -> None:
    """Put a directory's blocks: in each the records, then the names in the same order."""
    for number, block in enumerate(folder):
        start = position + number * BLOCK
        offset = len(block) * fmt.DIRENT.size
        for index, one in enumerate(block):
            inode = layout.inodes[one.path]
            kind = fmt.FILE_TYPES[inode.entry.kind]
            fmt.DIRENT.pack_into(head, start + index * fmt.DIRENT.size, inode.nid, offset, kind, 0)
            head[start + offset : start + offset + len(one.name)] = one.name
            offset += len(one.name)


def _opened(content: Path | bytes) -> FileIO | BytesIO:
    return BytesIO(content) if isinstance(content, bytes) else FileIO(str(content))


def _read_exactly(source: FileIO | BytesIO, buffer: memoryview, *, entry: Entry) -> None:
    filled = 0
    while filled < len(buffer):
        got = source.readinto(buffer[filled:])
        if not got:
            raise _wrong_size(entry)
        filled += got


def _wrong_size(entry: Entry) -> InputError:
    return InputError(
        f"the content of /{entry.path} does not have the {entry.size} bytes that its tree says",
        hint="the file changed after it was scanned, or the cache is damaged: build again",
    )


def _put_file(head: memoryview, content: Path | bytes, *, entry: Entry) -> None:
    """Put a small file at the start of the given memory."""
    with _opened(content) as source:
        _read_exactly(source, head[: entry.size], entry=entry)
        if source.read(1):
            raise _wrong_size(entry)


class _Blocks:
    """Puts files one after the other, each on blocks of its own, and writes them in large pieces."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._buffer = memoryview(bytearray(WRITE_BYTES))
        self._used = 0

    def add(self, content: Path | bytes, *, entry: Entry) -> None:
        with _opened(content) as source:
            left = entry.size
            while left:
                room = self._buffer[self._used : self._used + left]
                _read_exactly(source, room, entry=entry)
                left -= len(room)
                self._advance(len(room))
            if source.read(1):
                raise _wrong_size(entry)
        rest = fmt.padding(self._used, unit=BLOCK)
        self._buffer[self._used : self._used + rest] = bytes(rest)
        self._advance(rest)

    def _advance(self, length: int) -> None:
        self._used += length
        if self._used == len(self._buffer):
            self.flush()

    def flush(self) -> None:
        self._out.write(self._buffer[: self._used])
        self._used = 0

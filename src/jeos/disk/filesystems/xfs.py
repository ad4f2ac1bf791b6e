"""XFS, versions 4 and 5, read without mounting.

    filesystem = open_filesystem(blocks)
    filesystem.read(find(filesystem, "etc/fstab"))

After "XFS Algorithms & Data Structures", 3rd edition, and the kernel's fs/xfs/libxfs/xfs_format.h. Checksums are not
looked at. A log that waits to be replayed is said in `usage`, and what is in it is not seen. Numbers are big-endian.
"""

import struct
import uuid as uuids
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems import extents, xfs_log
from jeos.disk.filesystems.base import Node, Usage, wanted
from jeos.disk.filesystems.extents import Metadata, Run
from jeos.disk.filesystems.xfs_map import Geometry, damaged, fork_extents
from jeos.disk.filesystems.xfs_names import FolderFormat, local_names, names_in_block
from jeos.model.tree import KIND_OF_TYPE, TYPE_BITS, TYPE_MASK, Kind

_MAGIC = b"XFSB"
_SUPERBLOCK = struct.Struct(">4sIQQQ16sQQQQIIIIIHHHH12sBBBBBBBBQQQQ")
_SUPERBLOCK_BYTES = 512

_VERSION, _HAS_FEATURES2 = 0xF, 0x8000
_FEATURES2_FILE_TYPES = 0x200
# Incompatible features of version 5.
_FILE_TYPES, _BIG_TIMES, _BIG_COUNTS = 0x1, 0x8, 0x20
_KNOWN = 0x3FF

_INODE = struct.Struct(">2sHBB")
_INODE_V2_BYTES, _INODE_V3_BYTES = 100, 176
_FORMAT_DEVICE, _FORMAT_LOCAL, _FORMAT_EXTENTS, _FORMAT_TREE = range(4)
_FLAG_BIG_TIME, _FLAG_BIG_COUNTS = 0x8, 0x10
_BIG_TIME_START = -(1 << 31)
_NANOSECONDS = 1_000_000_000

_FOLDER_SPACE = 1 << 35  # bytes of a folder that hold names; indexes come behind
_FOLDER_BYTES = 1 << 30  # of names that are read at most
_TARGET_BYTES = 1024
_LINK_MAGIC, _LINK_HEADER = b"XSLM", 56  # before the target in blocks of version 5, but not in those that mkfs wrote


def probe(blocks: Blocks) -> bool:
    """Tell whether this is XFS."""
    return blocks.size >= _SUPERBLOCK_BYTES and blocks.read(0, 4) == _MAGIC


def open_filesystem(blocks: Blocks) -> "Xfs":
    """Open a file system. Raises InputError if it is damaged."""
    return Xfs(blocks)


@dataclass(frozen=True, slots=True)
class _Inode:
    """An inode as it is stored; `fork` is where its data, its extents or their tree begin."""

    mode: int
    format: int
    size: int
    count: int
    fork: bytes
    raw: bytes
    version: int


class Xfs:
    """An XFS file system."""

    kind = "xfs"

    def __init__(self, blocks: Blocks) -> None:
        """Read the superblock. Raises InputError if it contradicts itself, or has features that jeos does not know."""
        raw = blocks.read(0, min(_SUPERBLOCK_BYTES, blocks.size))
        if len(raw) < _SUPERBLOCK_BYTES or raw[:4] != _MAGIC:
            raise InputError("this is no XFS file system")
        fields = _SUPERBLOCK.unpack_from(raw)
        (_, block, self._block_count, _, _, own, self._log_start, self._root) = fields[:8]
        (group_blocks, groups, _, self._log_blocks, version, _, inode_bytes, _, label) = fields[11:20]
        (block_log, _, inode_log, per_block_log, group_log) = fields[20:25]
        self._free = fields[30]
        if block != 1 << block_log or not 9 <= block_log <= 16 or inode_bytes != 1 << inode_log or group_log > 31:
            raise damaged(f"blocks of {block} bytes, inodes of {inode_bytes}")
        if not 256 <= inode_bytes <= min(2048, block) or per_block_log != block_log - inode_log:
            raise damaged(f"{1 << min(per_block_log, 64)} inodes of {inode_bytes} bytes in a block of {block}")
        if not groups or not group_blocks or group_blocks > 1 << group_log:
            raise damaged(f"{groups} groups of {group_blocks} blocks")
        if raw[192] + block_log > 16:
            raise damaged(f"blocks of folders of {1 << raw[192]} blocks")
        self.version = version & _VERSION
        if self.version not in (4, 5):
            raise InputError(f"XFS of version {self.version}, which jeos does not read")
        incompatible = int.from_bytes(raw[216:220], "big") if self.version == 5 else 0
        if incompatible & ~_KNOWN:
            raise InputError(f"XFS with features {incompatible:#x}, which jeos does not read")
        features2 = int.from_bytes(raw[200:204], "big") if version & _HAS_FEATURES2 else 0
        self.geometry = Geometry(
            block=block, group_blocks=group_blocks, groups=groups, group_log=group_log, version=self.version
        )
        self._inode_bytes, self._inode_log, self._per_block_log = inode_bytes, inode_log, per_block_log
        self._folders = FolderFormat(
            version=self.version,
            file_types=bool(incompatible & _FILE_TYPES or features2 & _FEATURES2_FILE_TYPES),
            block=block << raw[192],
        )
        self.uuid = str(uuids.UUID(bytes=own))
        self.label = label.partition(b"\0")[0].decode("utf-8", "replace")
        self._blocks = blocks
        self._metadata = Metadata(blocks, unit=block)

    def usage(self) -> Usage:
        """Return how full it is, as `df` counts: without the log."""
        unit = self.geometry.block
        log = self._log_blocks if self._log_start else 0
        size = max(0, self._block_count - log)
        clean = True
        if self._log_start:
            start = self.geometry.place(self._log_start)
            clean = xfs_log.is_clean(self._blocks, start=start, size=self._log_blocks * unit)
        return Usage(size=size * unit, used=max(0, size - self._free) * unit, clean=clean)

    def root(self) -> Node:
        """Return the root folder."""
        return self._node(self._root)

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        """Yield the names in a folder with their nodes."""
        for name, number in self._names(folder):
            if name not in (b".", b".."):
                yield name.decode("utf-8", "surrogateescape"), self._node(number)

    def child(self, folder: Node, name: str) -> Node | None:
        """Return what a name in a folder stands for."""
        sought = name.encode("utf-8", "surrogateescape")
        number = next((number for own, number in self._names(folder, only=sought) if own == sought), None)
        return None if number is None else self._node(number)

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of a file."""
        length = wanted(node, offset=offset, length=length)
        inode = self._inode(node.number)
        if inode.format == _FORMAT_LOCAL:
            return inode.fork[offset : offset + length]
        return extents.read(self._blocks, self._runs(inode, offset=offset, length=length), offset=offset, length=length)

    def _inode(self, number: int) -> _Inode:
        geometry = self.geometry
        group = number >> (geometry.group_log + self._per_block_log)
        block = (number >> self._per_block_log) & ((1 << geometry.group_log) - 1)
        index = number & ((1 << self._per_block_log) - 1)
        position = geometry.place((group << geometry.group_log) | block) + (index << self._inode_log)
        raw = self._metadata.read(position, self._inode_bytes)
        magic, mode, version, form = _INODE.unpack_from(raw)
        if magic != b"IN" or version not in (1, 2, 3):
            raise damaged(f"inode {number} is none")
        start = _INODE_V3_BYTES if version == 3 else _INODE_V2_BYTES
        end = start + raw[82] * 8 if raw[82] else len(raw)
        flags = int.from_bytes(raw[120:128], "big") if version == 3 else 0
        count = int.from_bytes(raw[24:32] if flags & _FLAG_BIG_COUNTS else raw[76:80], "big")
        size = int.from_bytes(raw[56:64], "big")
        if form > _FORMAT_TREE or size >> 63:
            raise damaged(f"inode {number} of form {form} has {size} bytes")
        if form == _FORMAT_LOCAL and start + size > min(end, len(raw)):
            raise damaged(f"inode {number} holds {size} bytes itself, and has no room for them")
        return _Inode(mode, form, size, count, raw[start:end], raw, version)

    def _node(self, number: int) -> Node:
        inode = self._inode(number)
        raw = inode.raw
        kind = KIND_OF_TYPE.get(inode.mode & TYPE_MASK)
        if kind is None:
            raise damaged(f"inode {number} has mode {inode.mode:o}")
        flags = int.from_bytes(raw[120:128], "big") if inode.version == 3 else 0
        if flags & _FLAG_BIG_TIME:
            mtime = int.from_bytes(raw[40:48], "big") // _NANOSECONDS + _BIG_TIME_START
        else:
            mtime = int.from_bytes(raw[40:44], "big", signed=True)
        device = int.from_bytes(inode.fork[:4], "big")
        return Node(
            number=number,
            kind=kind,
            mode=inode.mode & 0o7777,
            uid=int.from_bytes(raw[8:12], "big"),
            gid=int.from_bytes(raw[12:16], "big"),
            mtime=mtime,
            size=inode.size if kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK) else 0,
            target=self._target(number, inode) if kind is Kind.SYMLINK else "",
            device=(device >> 18, device & 0x3FFFF) if kind in (Kind.CHARACTER, Kind.BLOCK) else (0, 0),
            links=int.from_bytes(raw[16:20] if inode.version > 1 else raw[6:8], "big"),
        )

    def _target(self, number: int, inode: _Inode) -> str:
        if inode.size > _TARGET_BYTES:
            raise damaged(f"symbolic link {number} has a target of {inode.size} bytes")
        if inode.format == _FORMAT_LOCAL:
            return inode.fork[: inode.size].decode("utf-8", "surrogateescape")
        unit = self.geometry.block
        found = b""
        for run in self._runs(inode, offset=0, length=_TARGET_BYTES + unit):
            for place in range(run.place, run.place + run.length, unit):
                if len(found) < inode.size:
                    block = self._blocks.read(place, unit)
                    found += block[_LINK_HEADER:] if block[:4] == _LINK_MAGIC else block
        return found[: inode.size].decode("utf-8", "surrogateescape")

    def _runs(self, inode: _Inode, *, offset: int, length: int) -> Iterator[Run]:
        """Yield where bytes of a file are."""
        unit = self.geometry.block
        first, end = offset // unit, -(-(offset + length) // unit)
        if inode.format not in (_FORMAT_EXTENTS, _FORMAT_TREE):
            return
        tree = inode.format == _FORMAT_TREE
        found = fork_extents(
            inode.fork, self._metadata, self.geometry, tree=tree, count=inode.count, first=first, end=end
        )
        for start, place, count in found:
            yield Run(start * unit, count * unit, self.geometry.place(place))

    def _names(self, folder: Node, *, only: bytes = b"") -> Iterator[tuple[bytes, int]]:
        """Yield the names in a folder with their inodes' numbers; blocks without the name `only` are passed over."""
        inode = self._inode(folder.number)
        if inode.mode & TYPE_MASK != TYPE_BITS[Kind.DIRECTORY]:
            raise damaged(f"inode {folder.number} is no folder")
        if inode.format == _FORMAT_LOCAL:
            yield from local_names(inode.fork[: inode.size], self._folders)
            return
        taken = 0
        unit = self._folders.block
        piece = b""  # of a block of names that lies in several runs
        for run in self._runs(inode, offset=0, length=min(inode.size, _FOLDER_SPACE)):
            taken += run.length
            if taken > min(_FOLDER_BYTES, self._blocks.size):
                raise damaged(f"the folder {folder.number} takes more blocks than there are")
            at = 0
            while at < run.length:
                length = min(unit - len(piece), run.length - at)
                piece += self._blocks.read(run.place + at, length)
                at += length
                if len(piece) == unit:
                    if not only or only in piece:
                        yield from names_in_block(piece, self._folders)
                    piece = b""

"""ext2, ext3 and ext4, read without mounting.

    filesystem = open_filesystem(blocks)
    filesystem.read(find(filesystem, "etc/fstab"))

After the kernel's Documentation/filesystems/ext4. Checksums are not looked at: who wants to know whether the file
system is sound runs `e2fsck`. A journal that waits to be replayed is said in `usage`, and what is in it is not seen.
"""

import struct
import uuid as uuids
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems import extents
from jeos.disk.filesystems.base import Node, Usage, wanted
from jeos.disk.filesystems.ext4_map import INLINE, MAPPED_BY_EXTENTS, damaged, inline_data, runs
from jeos.disk.filesystems.extents import Metadata
from jeos.model.tree import KIND_OF_TYPE, TYPE_BITS, TYPE_MASK, Kind

SUPERBLOCK, SUPERBLOCK_BYTES = 1024, 1024
_MAGIC = 0xEF53
_ROOT = 2
_LARGEST_BLOCK_LOG = 6  # 64 KiB

# Incompatible features that change where things are in a way that is not read here.
_COMPRESSION, _JOURNAL_DEVICE = 0x1, 0x8
_RECOVER, _META_GROUPS, _EXTENTS, _64BIT, _FLEX_GROUPS, _INLINE = 0x4, 0x10, 0x40, 0x80, 0x200, 0x8000
_HAS_JOURNAL = 0x4  # compatible
_BIGALLOC = 0x200  # read-only compatible
_EXT4_INCOMPATIBLE = ~(0x2 | _RECOVER | _META_GROUPS)  # what ext3 knows: file types, recovery, meta groups
_EXT4_READ_ONLY = ~0x7  # sparse superblocks, large files, b-trees

_INODE = struct.Struct("<HHIIIIIHHII4x60s")
_INODE_BYTES = 128
_NAME_BYTES = 255
_FAST_LINK = 60  # bytes of a link's target that fit into its inode
_TARGET_BYTES = 4096
_FOLDER_READ = 64  # blocks of a folder that are read at once
_FOLDER_BYTES = 1 << 30  # of names; 20 million files in one folder
_EPOCH_BITS = 3


def probe(blocks: Blocks) -> bool:
    """Tell whether this is ext2, ext3 or ext4."""
    if blocks.size < SUPERBLOCK + SUPERBLOCK_BYTES:
        return False
    return blocks.read(SUPERBLOCK + 56, 2) == _MAGIC.to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Superblock:
    """What is needed of a superblock; sizes are in bytes unless they count blocks."""

    block: int
    blocks: int
    free: int
    overhead: int
    first: int
    per_group: int
    inodes: int
    inodes_per_group: int
    inode: int
    descriptor: int
    cluster: int
    first_meta_group: int
    compatible: int
    incompatible: int
    read_only: int
    state: int
    uuid: str
    label: str

    @classmethod
    def parse(cls, raw: bytes) -> "Superblock":
        """Read a superblock. Raises InputError if it contradicts itself, or needs what jeos does not read."""

        def number(at: int, size: int = 4) -> int:
            return int.from_bytes(raw[at : at + size], "little")

        incompatible = number(96)
        if incompatible & (_COMPRESSION | _JOURNAL_DEVICE):
            raise InputError(f"an ext4 file system with features {incompatible:#x}, which jeos does not read")
        high = incompatible & _64BIT
        block = 1024 << min(number(24), _LARGEST_BLOCK_LOG + 1)
        modern = number(76) > 0
        found = cls(
            block=block,
            blocks=number(4) | (number(336) << 32 if high else 0),
            free=number(12) | (number(344) << 32 if high else 0),
            overhead=number(584),
            first=number(20),
            per_group=number(32),
            inodes=number(0),
            inodes_per_group=number(40),
            inode=number(88, 2) if modern else _INODE_BYTES,
            descriptor=number(254, 2) if high else 32,
            cluster=1 << max(0, min(number(28), 30) - min(number(24), 30)),
            first_meta_group=number(260),
            compatible=number(92),
            incompatible=incompatible,
            read_only=number(100),
            state=number(58, 2),
            uuid=str(uuids.UUID(bytes=raw[104:120])),
            label=raw[120:136].partition(b"\0")[0].decode("utf-8", "replace"),
        )
        found.check()
        return found

    def check(self) -> None:
        """Raise InputError for sizes that cannot be."""
        if self.block > 1024 << _LARGEST_BLOCK_LOG:
            raise damaged("its blocks are too large")
        if not _INODE_BYTES <= self.inode <= self.block or self.inode & (self.inode - 1):
            raise damaged(f"its inodes have {self.inode} bytes")
        if not 32 <= self.descriptor <= self.block or self.descriptor & (self.descriptor - 1):
            raise damaged(f"its group descriptors have {self.descriptor} bytes")
        if not self.per_group or not self.inodes_per_group or self.first >= self.blocks:
            raise damaged("it has no blocks or no inodes")

    @property
    def kind(self) -> str:
        """Return what blkid calls this."""
        if self.incompatible & _EXT4_INCOMPATIBLE or self.read_only & _EXT4_READ_ONLY:
            return "ext4"
        return "ext3" if self.compatible & _HAS_JOURNAL else "ext2"


@dataclass(frozen=True, slots=True)
class Inode:
    """An inode as it is stored; `raw` is all of it."""

    mode: int
    flags: int
    size: int
    block: bytes
    raw: bytes


def open_filesystem(blocks: Blocks) -> "Ext4":
    """Open a file system. Raises InputError if it is damaged."""
    return Ext4(blocks)


class Ext4:
    """An ext2, ext3 or ext4 file system."""

    def __init__(self, blocks: Blocks) -> None:
        """Read the superblock."""
        if not probe(blocks):
            raise InputError("this is no ext4 file system")
        self.superblock = Superblock.parse(blocks.read(SUPERBLOCK, SUPERBLOCK_BYTES))
        self.kind = self.superblock.kind
        self.label, self.uuid = self.superblock.label, self.superblock.uuid
        self._blocks = blocks
        self._metadata = Metadata(blocks, unit=self.superblock.block)

    def usage(self) -> Usage:
        """Return how full it is, as `df` counts: without what the file system itself takes."""
        sb = self.superblock
        total = max(0, sb.blocks - sb.overhead * sb.cluster)
        clean = not sb.incompatible & _RECOVER
        return Usage(size=total * sb.block, used=max(0, total - sb.free) * sb.block, clean=clean)

    def root(self) -> Node:
        """Return the root folder."""
        return self._node(_ROOT)

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
        if inode.flags & INLINE:
            return inline_data(inode.raw, size=node.size)[offset : offset + length]
        return self._content(inode, offset=offset, length=length)

    def _content(self, inode: Inode, *, offset: int, length: int) -> bytes:
        found = self._runs(inode, offset=offset, length=length)
        return extents.read(self._blocks, found, offset=offset, length=length)

    def _runs(self, inode: Inode, *, offset: int, length: int) -> Iterator[extents.Run]:
        by_extents = bool(inode.flags & MAPPED_BY_EXTENTS)
        return runs(inode.block, self._metadata, by_extents=by_extents, offset=offset, length=length)

    def _inode(self, number: int) -> Inode:
        sb = self.superblock
        if not 1 <= number <= sb.inodes:
            raise damaged(f"inode {number} of {sb.inodes}")
        group, index = divmod(number - 1, sb.inodes_per_group)
        position = self._inode_table(group) * sb.block + index * sb.inode
        raw = self._metadata.read(position, sb.inode)
        mode, size = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[4:8], "little")
        if KIND_OF_TYPE.get(mode & TYPE_MASK) in (Kind.FILE, Kind.DIRECTORY):
            size |= int.from_bytes(raw[108:112], "little") << 32
        return Inode(mode, int.from_bytes(raw[32:36], "little"), size, raw[40:100], raw)

    def _inode_table(self, group: int) -> int:
        """Return the first block of a group's inodes."""
        sb = self.superblock
        per_block = sb.block // sb.descriptor
        block, within = divmod(group, per_block)
        place = SUPERBLOCK // sb.block + 1 + block  # right behind the superblock
        if sb.incompatible & _META_GROUPS and block >= sb.first_meta_group:
            # A meta group's first group holds its descriptors, behind a superblock where there is one.
            first = block * per_block
            place = sb.first + first * sb.per_group + int(_has_superblock(first, sparse=bool(sb.read_only & 1)))
        raw = self._metadata(place)[within * sb.descriptor : (within + 1) * sb.descriptor]
        high = int.from_bytes(raw[40:44], "little") << 32 if sb.descriptor >= 64 else 0
        table = int.from_bytes(raw[8:12], "little") | high
        if not sb.first <= table < sb.blocks:
            raise damaged(f"the inodes of group {group} are at block {table} of {sb.blocks}")
        return table

    def _node(self, number: int) -> Node:
        inode = self._inode(number)
        kind = KIND_OF_TYPE.get(inode.mode & TYPE_MASK)
        if kind is None:
            raise damaged(f"inode {number} has mode {inode.mode:o}")
        raw = inode.raw
        (_, uid, _, _, _, mtime, _, gid, links, _, _, block) = _INODE.unpack_from(raw)
        extra = int.from_bytes(raw[128:130], "little") if len(raw) > 132 else 0
        if mtime & 0x80000000:
            mtime -= 1 << 32
        if extra >= 12:
            mtime += (raw[136] & _EPOCH_BITS) << 32
        return Node(
            number=number,
            kind=kind,
            mode=inode.mode & 0o7777,
            uid=uid | int.from_bytes(raw[120:122], "little") << 16,
            gid=gid | int.from_bytes(raw[122:124], "little") << 16,
            mtime=mtime,
            size=inode.size if kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK) else 0,
            target=self._target(number, inode) if kind is Kind.SYMLINK else "",
            device=_device(block) if kind in (Kind.CHARACTER, Kind.BLOCK) else (0, 0),
            links=links,
        )

    def _target(self, number: int, inode: Inode) -> str:
        if inode.size > _TARGET_BYTES:
            raise damaged(f"symbolic link {number} has a target of {inode.size} bytes")
        if inode.flags & INLINE:
            target = inline_data(inode.raw, size=inode.size)
        elif inode.size < _FAST_LINK and not inode.flags & MAPPED_BY_EXTENTS:
            target = inode.block[: inode.size]
        else:
            target = self._content(inode, offset=0, length=inode.size)
        return target.decode("utf-8", "surrogateescape")

    def _names(self, folder: Node, *, only: bytes = b"") -> Iterator[tuple[bytes, int]]:
        """Yield the names in a folder, with their inodes' numbers; blocks without the name `only` are passed over."""
        inode = self._inode(folder.number)
        if inode.mode & TYPE_MASK != TYPE_BITS[Kind.DIRECTORY]:
            raise damaged(f"inode {folder.number} is no folder")
        if inode.flags & INLINE:
            content = inline_data(inode.raw, size=inode.size)
            yield from _parse_folder(content[4:60])  # behind the parent's number
            yield from _parse_folder(content[60:])
            return
        size = self.superblock.block
        taken = 0
        for start, length, place in self._runs(inode, offset=0, length=inode.size):
            taken += length
            if taken > min(_FOLDER_BYTES, self._blocks.size):
                raise damaged(f"the folder {folder.number} takes more blocks than there are")
            length = min(length, inode.size - start)
            for at in range(0, length, size * _FOLDER_READ):
                content = self._blocks.read(place + at, min(size * _FOLDER_READ, length - at))
                for block in range(0, len(content), size):
                    if not only or content.find(only, block, block + size) >= 0:
                        yield from _parse_folder(content[block : block + size])


def _has_superblock(group: int, *, sparse: bool) -> bool:
    """Tell whether a group starts with a copy of the superblock: with `sparse`, 0, 1 and powers of 3, 5 and 7 do."""
    if not sparse or group <= 1:
        return True
    for base in (3, 5, 7):
        power = base
        while power < group:
            power *= base
        if power == group:
            return True
    return False


def _device(block: bytes) -> tuple[int, int]:
    """Return major and minor number from the two forms in which the kernel keeps them."""
    old, new = struct.unpack_from("<II", block)
    if old:
        return old >> 8 & 0xFF, old & 0xFF
    return new >> 8 & 0xFFF, (new & 0xFF) | (new >> 12 & 0xFFF00)


_RECORD = struct.Struct("<IHB")


def _parse_folder(block: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield name and inode of each record; the nodes of a hashed folder look like one empty record."""
    position, end = 0, len(block)
    while position + 8 <= end:
        number, length, name_length = _RECORD.unpack_from(block, position)
        if length in (0, 0xFFFF) and end - position == 1 << 16:
            length = 1 << 16
        if length < 8 or length % 4 or position + length > end or name_length > length - 8:
            raise damaged(f"a folder has a record of {length} bytes at {position} of {end}")
        if number:
            name = block[position + 8 : position + 8 + name_length]
            if not name or b"/" in name or b"\0" in name:
                raise damaged(f"a folder has the name {name!r}")
            yield name, number
        position += length

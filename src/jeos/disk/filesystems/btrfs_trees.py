"""The trees of btrfs: where a logical address is on the disk, and the items of a tree between two keys.

    trees = Trees(blocks)
    for key, item in trees.items(root, low=(256, 96, 0), high=(256, 97, 0)): …

After the kernel's Documentation/filesystems/btrfs and include/uapi/linux/btrfs_tree.h. Everything in btrfs has a key of
three numbers (object, type, offset) and is kept in order. Numbers are little-endian.
"""

import struct
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems.extents import damage

damaged = damage("btrfs", tool="btrfs check --readonly")

SUPERBLOCK, SUPERBLOCK_BYTES = 0x10000, 4096
MAGIC = b"_BHRfS_M"
Key = tuple[int, int, int]

_KEY = struct.Struct("<QBQ")
_CHUNK = struct.Struct("<QQQQIIIHH")
_STRIPE = struct.Struct("<QQ16s")
_STRIPES_MOST = 1024
_CHUNK_ITEM = 228
_SYSTEM_CHUNKS, _SYSTEM_CHUNKS_BYTES = 811, 2048
# Profiles whose every stripe holds all bytes: one, DUP, and RAID 1 of two, three and four disks.
_WHOLE_COPIES = 0x10 | 0x20 | 0x200 | 0x400
_PROFILES = 0x7F8
_KNOWN = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800 | 0x10000

_HEADER_BYTES = 101
_ITEM = struct.Struct("<QBQII")
_POINTER = struct.Struct("<QBQQQ")
_LEVELS = 8
_NODE_SIZES = (4096, 8192, 16384, 32768, 65536)
_NODES_KEPT = 256
_CHUNKS_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """The root of a tree: its logical address and level."""

    address: int
    level: int


@dataclass(frozen=True, slots=True)
class Superblock:
    """What is needed of the superblock."""

    uuid: bytes
    label: str
    size: int
    used: int
    device: int
    sector: int
    node: int
    root: Pointer
    chunks: Pointer
    has_log: bool
    system_chunks: bytes

    @classmethod
    def parse(cls, raw: bytes) -> "Superblock":
        """Read a superblock. Raises InputError if it is none, or has features that jeos does not know."""
        if raw[64:72] != MAGIC:
            raise InputError("this is no btrfs file system")

        def number(at: int, size: int = 8) -> int:
            return int.from_bytes(raw[at : at + size], "little")

        if number(188) & ~_KNOWN:
            raise InputError(f"btrfs with features {number(188):#x}, which jeos does not read")
        if number(148, 4) not in _NODE_SIZES or number(160, 4) > _SYSTEM_CHUNKS_BYTES:
            raise damaged(f"nodes of {number(148, 4)} bytes")
        return cls(
            uuid=raw[32:48],
            label=raw[299:555].partition(b"\0")[0].decode("utf-8", "replace"),
            size=number(112),
            used=number(120),
            device=number(201),
            sector=number(144, 4),
            node=number(148, 4),
            root=Pointer(number(80), raw[198]),
            chunks=Pointer(number(88), raw[199]),
            has_log=bool(number(96)),
            system_chunks=raw[_SYSTEM_CHUNKS : _SYSTEM_CHUNKS + number(160, 4)],
        )


class Trees:
    """The trees of one device."""

    def __init__(self, blocks: Blocks) -> None:
        """Read the superblock and the chunks. Raises InputError if they are damaged."""
        if blocks.size < SUPERBLOCK + SUPERBLOCK_BYTES:
            raise InputError("this is no btrfs file system")
        self.superblock = Superblock.parse(blocks.read(SUPERBLOCK, SUPERBLOCK_BYTES))
        self._blocks = blocks
        self._chunks: list[tuple[int, int, int]] = []  # logical start, length, where on this device (-1: nowhere)
        self._nodes: OrderedDict[int, bytes] = OrderedDict()
        self._add_system_chunks()
        chunks = self.items(self.superblock.chunks, low=(256, _CHUNK_ITEM, 0), high=(256, _CHUNK_ITEM + 1, 0))
        for key, item in list(chunks):
            self._add_chunk(key[2], item)

    def _add_system_chunks(self) -> None:
        """Add the chunks that hold the tree of all chunks, which are in the superblock."""
        content = self.superblock.system_chunks
        position = 0
        while position + _KEY.size + _CHUNK.size <= len(content):
            _, kind, start = _KEY.unpack_from(content, position)
            position += _KEY.size
            if kind != _CHUNK_ITEM:
                raise damaged(f"the superblock has a chunk of type {kind}")
            position += self._add_chunk(start, content[position:])

    def _add_chunk(self, start: int, item: bytes) -> int:
        """Note where a chunk is; return the size of its item."""
        if len(item) < _CHUNK.size:
            raise damaged("a chunk is cut off")
        length, _, _, kind, _, _, _, count, _ = _CHUNK.unpack_from(item)
        size: int = _CHUNK.size + count * _STRIPE.size
        if not 1 <= count <= _STRIPES_MOST or size > len(item) or not length or len(self._chunks) >= _CHUNKS_MOST:
            raise damaged(f"a chunk of {length} bytes has {count} stripes")
        place = -1
        if count == 1 or not kind & _PROFILES & ~_WHOLE_COPIES:
            stripes = _STRIPE.iter_unpack(item[_CHUNK.size : size])
            place = next((at for device, at, _ in stripes if device == self.superblock.device), -1)
        if all(known[0] != start for known in self._chunks[-1:]) and (start, length, place) not in self._chunks:
            insort(self._chunks, (start, length, place))
        return size

    def read(self, address: int, length: int) -> bytes:
        """Return the bytes at a logical address, which may lie in several chunks."""
        parts = []
        while length:
            index = bisect_right(self._chunks, (address, 1 << 64, 0)) - 1
            start, size, place = self._chunks[index] if index >= 0 else (0, 0, -1)
            if not start <= address < start + size:
                raise damaged(f"the address {address} is in no chunk")
            if place < 0:
                raise InputError(
                    "a part of the btrfs file system lies on another device, or in stripes",
                    hint="jeos reads btrfs from one device, or one of a RAID 1",
                )
            part = min(length, start + size - address)
            parts.append(self._blocks.read(place + address - start, part))
            address, length = address + part, length - part
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _node(self, pointer: Pointer) -> tuple[bytes, int]:
        """Return a node and how many items it has."""
        node = self._nodes.pop(pointer.address, None)
        if node is None:
            node = self.read(pointer.address, self.superblock.node)
            if len(self._nodes) >= _NODES_KEPT:
                self._nodes.popitem(last=False)
        self._nodes[pointer.address] = node
        count, level = int.from_bytes(node[96:100], "little"), node[100]
        stride = _POINTER.size if level else _ITEM.size
        if int.from_bytes(node[48:56], "little") != pointer.address or level != pointer.level or level >= _LEVELS:
            raise damaged(f"the node at {pointer.address} is none of level {pointer.level}")
        if _HEADER_BYTES + count * stride > len(node):
            raise damaged(f"the node at {pointer.address} has {count} items")
        return node, count

    def items(self, root: Pointer, *, low: Key, high: Key, floor: bool = False) -> Iterator[tuple[Key, bytes]]:
        """Yield the items of a tree from key `low` up to, without it, `high`, in order.

        With `floor` the first is the last one that is not behind `low`, if there is one.
        """
        yield from self._below(root, low=low, high=high, floor=floor, first=(0, 0, 0), end=(1 << 64, 0, 0))

    def _below(
        self, pointer: Pointer, *, low: Key, high: Key, floor: bool, first: Key, end: Key
    ) -> Iterator[tuple[Key, bytes]]:
        """Yield items under a node, all of whose keys must lie between `first` and `end`, so that the walk ends."""
        node, count = self._node(pointer)
        layout = _POINTER if pointer.level else _ITEM
        index = _last_not_behind(node, low, count=count, layout=layout)
        if not pointer.level:
            yield from self._in_leaf(node, index, count=count, low=low, high=high, floor=floor, first=first, end=end)
            return
        for position in range(max(0, index), count):
            *key, address, _ = _POINTER.unpack_from(node, _HEADER_BYTES + position * _POINTER.size)
            start: Key = (key[0], key[1], key[2])
            if start >= high:
                return
            until = end
            if position + 1 < count:
                until = _KEY.unpack_from(node, _HEADER_BYTES + (position + 1) * _POINTER.size)
            if not first <= start < until <= end:
                raise damaged(f"a node leads to keys from {start} to {until}, outside {first} to {end}")
            first = until
            child = Pointer(address, pointer.level - 1)
            wants_floor = floor and position == max(0, index)
            yield from self._below(child, low=low, high=high, floor=wants_floor, first=start, end=until)

    @staticmethod
    def _in_leaf(
        node: bytes, index: int, *, count: int, low: Key, high: Key, floor: bool, first: Key, end: Key
    ) -> Iterator[tuple[Key, bytes]]:
        for position in range(max(0, index), count):
            *parts, offset, size = _ITEM.unpack_from(node, _HEADER_BYTES + position * _ITEM.size)
            key: Key = (parts[0], parts[1], parts[2])
            if key >= high:
                return
            if key < low and not (floor and position == index):
                continue
            if not first <= key < end or _HEADER_BYTES + offset + size > len(node):
                raise damaged(f"an item has the key {key}, outside {first} to {end}")
            first = (key[0], key[1], key[2] + 1)
            yield key, node[_HEADER_BYTES + offset : _HEADER_BYTES + offset + size]


def _last_not_behind(node: bytes, key: Key, *, count: int, layout: struct.Struct) -> int:
    """Return the index of the last item whose key is not behind `key`, -1 if all are."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if _KEY.unpack_from(node, _HEADER_BYTES + middle * layout.size) <= key:
            low = middle + 1
        else:
            high = middle
    return low - 1

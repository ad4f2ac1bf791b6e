"""btrfs on one device, or on one of a RAID 1, with its subvolumes, read without mounting.

    filesystem = open_filesystem(blocks)            # as it is mounted when nobody says which subvolume
    list(filesystem.subvolumes())                   # ["@", "", "@home", …]: the one that is mounted unasked is first
    filesystem.subvolume("@home")

Checksums are not looked at. A log of what was synced before a crash is said in `usage`, and not replayed.
"""

import struct
import uuid as uuids
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems import btrfs_data
from jeos.disk.filesystems.base import MissingFileError, Node, Usage, wanted
from jeos.disk.filesystems.btrfs_trees import MAGIC, SUPERBLOCK, Pointer, Trees, damaged
from jeos.disk.formats.crc32c import crc32c
from jeos.model.tree import KIND_OF_TYPE, TYPE_MASK, Kind

TOP = 5  # the tree that is there without any subvolume
_ROOT_FOLDER = 256  # the root of every tree
_DEFAULTS = 6  # the object in the tree of trees that names the default one

_INODE_ITEM, _INODE_REF, _DIR_ITEM, _DIR_INDEX = 1, 12, 84, 96
_ROOT_ITEM, _ROOT_BACKREF = 132, 144
_END = 1 << 64

_INODE = struct.Struct("<16xQ16xIIIIQ72xQ")  # size, links, owner, group, mode, device, time of change
_TREE = struct.Struct("<176xQ54xB")  # address and level of its root
_NAME = struct.Struct("<QBQ8xHHB")
_REFERENCE = struct.Struct("<QQH")
_TARGET_BYTES = 4096
_HASH_START = 0xFFFFFFFE  # of names; their checksum is not turned at its end
_DEPTH = 128
_SUBVOLUMES_MOST = 10_000


def probe(blocks: Blocks) -> bool:
    """Tell whether this is btrfs."""
    return blocks.size > SUPERBLOCK + 72 and blocks.read(SUPERBLOCK + 64, 8) == MAGIC


def open_filesystem(blocks: Blocks) -> "Btrfs":
    """Open a file system as its default subvolume. Raises InputError if it is damaged."""
    trees = Trees(blocks)
    top = Btrfs(trees, TOP)
    return Btrfs(trees, top.default())


@dataclass(frozen=True, slots=True)
class _File(Node):
    """A node and the tree that it is in."""

    tree: int = TOP


class Btrfs:
    """One tree of a btrfs file system, with the others below it."""

    kind = "btrfs"

    def __init__(self, trees: Trees, tree: int) -> None:
        """Show the tree with that number."""
        self._trees, self._tree = trees, tree
        self.uuid = str(uuids.UUID(bytes=trees.superblock.uuid))
        self.label = trees.superblock.label
        self._roots: dict[int, Pointer] = {}

    def usage(self) -> Usage:
        """Return how full the whole file system is."""
        superblock = self._trees.superblock
        return Usage(size=superblock.size, used=superblock.used, clean=not superblock.has_log)

    def root(self) -> Node:
        """Return the root folder of this tree."""
        return self._node(self._tree, _ROOT_FOLDER)

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        """Yield the names in a folder with their nodes; a subvolume is a folder."""
        tree = self._of(folder)
        low, high = (folder.number, _DIR_INDEX, 0), (folder.number, _DIR_INDEX, _END)
        for _, item in self._items(tree, low=low, high=high):
            for name, kind, number in _names(item):
                yield name.decode("utf-8", "surrogateescape"), self._located(tree, kind, number)

    def child(self, folder: Node, name: str) -> Node | None:
        """Return what a name in a folder stands for."""
        tree = self._of(folder)
        sought = name.encode("utf-8", "surrogateescape")
        key = (folder.number, _DIR_ITEM, crc32c(sought, start=_HASH_START) ^ 0xFFFFFFFF)
        for _, item in self._items(tree, low=key, high=(key[0], key[1], key[2] + 1)):
            for own, kind, number in _names(item):
                if own == sought:
                    return self._located(tree, kind, number)
        return None

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of a file."""
        length = wanted(node, offset=offset, length=length)
        if not length:
            return b""
        return btrfs_data.read(self._trees, self._root(self._of(node)), node.number, offset=offset, length=length)

    def subvolumes(self) -> Iterator[str]:
        """Yield the paths of subvolumes from the top, first the one that is mounted unasked."""
        default = self.default()
        numbers = [default, *(number for number in (TOP, *self._numbers()) if number != default)]
        for number in numbers:
            try:
                yield self.path_of(number)
            except InputError:
                continue  # one that is being deleted has no path any more

    def subvolume(self, path: str) -> "Btrfs":
        """Return the file system as it is seen when the subvolume at a path from the top is mounted."""
        here: Node = self._node(TOP, _ROOT_FOLDER)
        for part in (part for part in path.split("/") if part):
            found = self.child(here, part)
            if found is None or found.kind is not Kind.DIRECTORY:
                raise MissingFileError(f"there is no subvolume {path} in the btrfs file system")
            here = found
        if here.number != _ROOT_FOLDER:
            raise MissingFileError(f"{path} in the btrfs file system is no subvolume")
        return Btrfs(self._trees, self._of(here))

    def path_of(self, number: int) -> str:
        """Return the path from the top of the subvolume with that number."""
        parts: list[str] = []
        while number not in (TOP, 0):
            if len(parts) > _DEPTH:
                raise damaged(f"the subvolume {number} is inside itself")
            parent, folder, name = self._reference(number)
            above = self._path_in(parent, folder)
            parts.append(f"{above}/{name}" if above else name)
            number = parent
        return "/".join(reversed(parts))

    def default(self) -> int:
        """Return the number of the subvolume that is mounted unasked."""
        low, high = (_DEFAULTS, _DIR_ITEM, 0), (_DEFAULTS, _DIR_ITEM, _END)
        for _, item in self._trees.items(self._trees.superblock.root, low=low, high=high):
            for name, kind, number in _names(item):
                if name == b"default" and kind == _ROOT_ITEM:
                    return number if number != 0 else TOP
        return TOP

    def _numbers(self) -> Iterator[int]:
        """Yield the numbers of all subvolumes."""
        root = self._trees.superblock.root
        low, high = (_ROOT_FOLDER, 0, 0), (_END - 256, 0, 0)
        count = 0
        for key, _ in self._trees.items(root, low=low, high=high):
            if key[1] == _ROOT_BACKREF and count < _SUBVOLUMES_MOST:
                count += 1
                yield key[0]

    def _reference(self, number: int) -> tuple[int, int, str]:
        """Return the tree and the folder that a subvolume is in, and its name there."""
        root = self._trees.superblock.root
        low, high = (number, _ROOT_BACKREF, 0), (number, _ROOT_BACKREF, _END)
        for key, item in self._trees.items(root, low=low, high=high):
            if len(item) < _REFERENCE.size:
                break
            folder, _, length = _REFERENCE.unpack_from(item)
            name = item[_REFERENCE.size : _REFERENCE.size + length]
            return key[2], folder, name.decode("utf-8", "surrogateescape")
        raise MissingFileError(f"there is no subvolume {number} in the btrfs file system")

    def _path_in(self, tree: int, folder: int) -> str:
        """Return the path of a folder in its tree."""
        parts: list[str] = []
        while folder != _ROOT_FOLDER:
            low, high = (folder, _INODE_REF, 0), (folder, _INODE_REF, _END)
            found = next(self._items(tree, low=low, high=high), None)
            if found is None or len(parts) > _DEPTH:
                raise damaged(f"the folder {folder} is in no other")
            key, item = found
            length = int.from_bytes(item[8:10], "little")
            parts.append(item[10 : 10 + length].decode("utf-8", "surrogateescape"))
            folder = key[2]
        return "/".join(reversed(parts))

    def _items(
        self, tree: int, *, low: tuple[int, int, int], high: tuple[int, int, int]
    ) -> Iterator[tuple[tuple[int, int, int], bytes]]:
        return self._trees.items(self._root(tree), low=low, high=high)

    def _root(self, tree: int) -> Pointer:
        """Return the root of a tree by its number."""
        if tree not in self._roots:
            low, high = (tree, _ROOT_ITEM, 0), (tree, _ROOT_ITEM, _END)
            for _, item in self._trees.items(self._trees.superblock.root, low=low, high=high):
                if len(item) >= _TREE.size:
                    self._roots[tree] = Pointer(*_TREE.unpack_from(item))
            if tree not in self._roots:
                raise damaged(f"there is no tree {tree}")
        return self._roots[tree]

    def _of(self, node: Node) -> int:
        if not isinstance(node, _File):
            raise InputError(f"the node {node.number} is not of this file system")
        return node.tree

    def _located(self, tree: int, kind: int, number: int) -> Node:
        """Return what a name leads to: an inode of the same tree, or the root of another."""
        if kind == _ROOT_ITEM:
            return self._node(number, _ROOT_FOLDER)
        if kind != _INODE_ITEM:
            raise damaged(f"a name leads to an item of type {kind}")
        return self._node(tree, number)

    def _node(self, tree: int, number: int) -> _File:
        key = (number, _INODE_ITEM, 0)
        found = next(self._items(tree, low=key, high=(number, _INODE_ITEM, 1)), None)
        if found is None or len(found[1]) < _INODE.size:
            raise damaged(f"there is no inode {number} in the tree {tree}")
        size, links, uid, gid, mode, device, mtime = _INODE.unpack_from(found[1])
        kind = KIND_OF_TYPE.get(mode & TYPE_MASK)
        if kind is None:
            raise damaged(f"inode {number} has mode {mode:o}")
        return _File(
            number=number,
            kind=kind,
            mode=mode & 0o7777,
            uid=uid,
            gid=gid,
            mtime=mtime - (1 << 64) if mtime >> 63 else mtime,
            size=size if kind in (Kind.FILE, Kind.SYMLINK) else 0,
            target=self._target(tree, number, size) if kind is Kind.SYMLINK else "",
            device=(device >> 20, device & 0xFFFFF) if kind in (Kind.CHARACTER, Kind.BLOCK) else (0, 0),
            links=links,
            tree=tree,
        )

    def _target(self, tree: int, number: int, size: int) -> str:
        if size > _TARGET_BYTES:
            raise damaged(f"symbolic link {number} has a target of {size} bytes")
        target = btrfs_data.read(self._trees, self._root(tree), number, offset=0, length=size)
        return target.decode("utf-8", "surrogateescape")


def _names(item: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, type and number of what each name in an item leads to; several may have one hash."""
    position = 0
    while position < len(item):
        if position + _NAME.size > len(item):
            raise damaged("a name is cut off")
        number, kind, _, data, length, _ = _NAME.unpack_from(item, position)
        name = item[position + _NAME.size : position + _NAME.size + length]
        if len(name) != length or not name or b"/" in name or b"\0" in name:
            raise damaged(f"a folder has the name {name!r}")
        yield name, kind, number
        position += _NAME.size + length + data

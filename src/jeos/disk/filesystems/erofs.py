"""EROFS that is not compressed, as jeos builds it, in the form of all file systems here.

`jeos.disk.erofs_reader` knows the format; an image with compressed files is recognised, and these cannot be read.
"""

import os
from collections.abc import Iterator

from jeos.core.errors import InputError
from jeos.disk import erofs_format, erofs_reader
from jeos.disk.blocks import Blocks, stream
from jeos.disk.erofs_reader import Inode, damaged
from jeos.disk.filesystems.base import Node, Usage, wanted
from jeos.model.tree import Kind

_MAGIC_PLACE = 1024
_TARGET_BYTES = 4096


def probe(blocks: Blocks) -> bool:
    """Tell whether this is EROFS."""
    if blocks.size < erofs_format.BLOCK:
        return False
    return int.from_bytes(blocks.read(_MAGIC_PLACE, 4), "little") == erofs_format.MAGIC


def open_filesystem(blocks: Blocks) -> "Erofs":
    """Open a file system. Raises InputError if it is damaged, or compressed."""
    return Erofs(blocks)


class Erofs:
    """An EROFS file system."""

    kind = "erofs"

    def __init__(self, blocks: Blocks) -> None:
        """Read the superblock."""
        self._image = erofs_reader.Filesystem(stream(blocks))
        self.uuid = self._image.uuid
        self.label = self._image.label.rstrip("\0")

    def usage(self) -> Usage:
        """Return how full it is: always as full as can be."""
        return Usage(size=self._image.size, used=self._image.size)

    def root(self) -> Node:
        """Return the root folder."""
        return self._node(self._image.superblock.root_nid)

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        """Yield the names in a folder with their nodes."""
        for name, (number, _) in self._image.names(self._folder(folder)):
            yield os.fsdecode(name), self._node(number)

    def child(self, folder: Node, name: str) -> Node | None:
        """Return what a name in a folder stands for."""
        sought = os.fsencode(name)
        names = self._image.names(self._folder(folder))
        number = next((number for own, (number, _) in names if own == sought), None)
        return None if number is None else self._node(number)

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of a file."""
        return self._read(self._image.inode(node.number), offset, wanted(node, offset=offset, length=length))

    def _read(self, inode: Inode, offset: int, length: int) -> bytes:
        parts = []
        while length > 0:
            part = self._image.data(inode, offset, length)
            if not part:
                raise damaged(f"the data of inode {inode.nid} ends too early")
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def _folder(self, node: Node) -> Inode:
        inode = self._image.inode(node.number)
        if inode.kind is not Kind.DIRECTORY:
            raise InputError(f"the node {node.number} is no folder of this file system")
        return inode

    def _node(self, number: int) -> Node:
        inode = self._image.inode(number)
        target = ""
        if inode.kind is Kind.SYMLINK:
            if inode.size > _TARGET_BYTES:
                raise damaged(f"symbolic link {number} has a target of {inode.size} bytes")
            target = os.fsdecode(self._read(inode, 0, inode.size))
        return Node(
            number=number,
            kind=inode.kind,
            mode=inode.mode,
            uid=inode.uid,
            gid=inode.gid,
            mtime=inode.mtime,
            size=inode.size,
            target=target,
            device=inode.device,
            links=inode.links,
        )

"""The files below a path of a machine, each folder before what it holds; what a damaged disk makes up is left out.

    for item in walk(root, "etc/nginx", notes=notes):
        item.path, item.node, read(item)

Names come from a disk that may be hostile: none that is yielded is empty, "." or "..", or has a slash or a zero byte in
it, and no folder comes twice, so that a folder within itself ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError, StoreError
from jeos.disk.filesystems.base import PATH_BYTES, Node
from jeos.disk.root import Mounted, Root
from jeos.model.tree import Kind

PIECE = 1 << 20  # bytes of a file that are read at once


@dataclass(frozen=True, slots=True)
class Item:
    """A file, folder or link: `path` is the machine's, without a slash at the start."""

    path: str
    node: Node
    mounted: Mounted

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def inode(self) -> tuple[str, int]:
        """Return what two names of one file have in common."""
        return self.mounted.where, self.node.number


def walk(root: Root, path: str, *, notes: list[str]) -> Iterator[Item]:
    """Yield what a path leads to and all below it; links are not followed. What cannot be read is said in `notes`.

    Raises MissingFileError if there is no such path.
    """
    place = root.find(path, follow=False)
    left = [Item(place.path, place.node, place.mounted)]
    seen: set[tuple[str, int]] = set()
    while left:
        item = left.pop()
        if item.node.kind is Kind.DIRECTORY:
            if item.inode in seen:
                notes.append(f"/{item.path} is a folder that was seen elsewhere: it is left out")
                continue
            seen.add(item.inode)
        yield item
        if item.node.kind is Kind.DIRECTORY:
            left += children(root, item, notes=notes)[::-1]


def children(root: Root, folder: Item, *, notes: list[str]) -> list[Item]:
    """Return what is in a folder, by name; where another file system is mounted, its top."""
    try:
        found = list(root.children(folder.path))
    except (InputError, StoreError) as error:
        notes.append(f"/{folder.path} cannot be read: {error.message}")
        return []
    items = []
    for name, node in found:
        path = f"{folder.path}/{name}".lstrip("/")
        if name in ("", ".", "..") or "/" in name or "\0" in name or len(path) > PATH_BYTES:
            notes.append(f"/{folder.path} has a name that no file can have: {name[:80]!r}")
        elif path in root.mounts:
            top = root.find(path)
            items.append(Item(path, top.node, top.mounted))
        else:
            items.append(Item(path, node, folder.mounted))
    return items


def content(item: Item) -> Iterator[bytes]:
    """Yield the bytes of a file, piece by piece. Raises InputError or StoreError where they cannot be read."""
    position = 0
    while position < item.node.size:
        length = min(PIECE, item.node.size - position)
        piece = item.mounted.filesystem.read(item.node, offset=position, length=length)
        if len(piece) != length:
            raise InputError(f"/{item.path} ends at byte {position + len(piece)}, before its {item.node.size} bytes")
        yield piece
        position += length

"""The slot that runs, as the older half of an update: its files by path, read from its verified device."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from jeos.core.errors import InputError
from jeos.disk.erofs_reader import Filesystem
from jeos.model import outline
from jeos.model.tree import Entry, Kind, Tree

COPY_BYTES = 1 << 20


class Base:
    """An EROFS in a device or a file: what is in it, and the bytes of its files."""

    def __init__(self, descriptor: int, tree: Tree, places: dict[str, tuple[int, int] | None], *, time: int) -> None:
        self._descriptor = descriptor
        self.tree = tree
        self.time = time
        self._places = places
        self.contents = contents(tree)

    def outline(self) -> bytes:
        """Return the tree as the text that patches start from."""
        return outline.dump(self.tree, time=self.time)

    def read(self, path: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of a file. Raises InputError if it has none there."""
        place = self._places.get(path)
        if place is None:
            raise InputError(f"the running system has no file /{path} that can be read")
        start, size = place
        wanted = size - offset if length is None else length
        if not 0 <= offset <= offset + wanted <= size:
            raise InputError(f"/{path} has {size} bytes, of which {wanted} from {offset} on are wanted")
        parts = []
        while wanted:
            part = os.pread(self._descriptor, wanted, start + offset)
            if not part:
                raise InputError(f"/{path} of the running system ends too early")
            parts.append(part)
            offset, wanted = offset + len(part), wanted - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def size(self, path: str) -> int:
        """Return the length of a file in bytes, 0 if it has no place."""
        place = self._places.get(path)
        return place[1] if place else 0

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file in pieces."""
        size = self.size(path)
        for offset in range(0, size, COPY_BYTES):
            yield self.read(path, offset=offset, length=min(COPY_BYTES, size - offset))


def contents(tree: Tree) -> list[Entry]:
    """Return the files of a tree that hold something, in tree order: what patches number from 0 on."""
    return [entry for entry in tree if entry.kind is Kind.FILE and entry.size and not entry.hardlink]


@contextmanager
def opened(path: str) -> Iterator[Base]:
    """Open the running system's EROFS. Raises InputError if it is none."""
    with open(path, "rb") as file:
        filesystem = Filesystem(file)
        tree, places = filesystem.places()
        yield Base(file.fileno(), tree, places, time=filesystem.superblock.time)

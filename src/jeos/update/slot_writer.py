"""Write a slot's EROFS in any order: each content goes to the place that the plan of the whole tree gives it."""

import os
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256

from jeos.core import files
from jeos.core.errors import InputError
from jeos.disk import erofs
from jeos.disk.erofs_format import BLOCK
from jeos.disk.erofs_layout import Inode, plan
from jeos.model.release import System
from jeos.model.tree import Kind, Tree
from jeos.update.errors import RebuildError

HASHED_BYTES = 1 << 20


class SlotWriter:
    """The slot of a tree whose files have, as their digest, any name that is the same for equal contents."""

    def __init__(self, descriptor: int, tree: Tree, system: System) -> None:
        """Plan the slot. Raises RebuildError if it does not come out as large as the release says."""
        self._descriptor = descriptor
        layout = plan(tree, time=system.time)
        if layout.size != system.size:
            raise RebuildError(f"the tree makes a system of {layout.size} bytes, but the release has {system.size}")
        self._head = erofs.make_head(layout, uuid=system.uuid, time=system.time, label=system.label)
        self._small: defaultdict[str, list[Inode]] = defaultdict(list)
        for inode in layout.inodes.values():
            if inode.inline and inode.entry.kind is Kind.FILE:
                self._small[inode.entry.digest].append(inode)
        self._large = {inode.entry.digest: inode for inode in layout.files}

    def put(self, name: str, pieces: Iterable[bytes], *, size: int, digest: str = "") -> None:
        """Write a content wherever it goes. Raises InputError if it has another size, or another SHA-256 than given."""
        large = self._large.get(name)
        state = sha256() if digest else None
        small, done = [], 0
        for piece in pieces:
            if done + len(piece) > size:
                raise InputError(f"a file has more than its {size} bytes")
            if state:
                state.update(piece)
            if large:
                files.write_at(self._descriptor, piece, offset=large.data_position + done)
            if name in self._small:
                small.append(piece)
            done += len(piece)
        if done != size:
            raise InputError(f"a file has {done} bytes instead of {size}")
        if state and state.hexdigest() != digest:
            raise InputError("a file does not have its digest")
        if large:
            files.write_at(self._descriptor, bytes(-size % BLOCK), offset=large.data_position + size)
        for inode in self._small.get(name, ()):
            self._head[inode.data_position : inode.data_position + size] = b"".join(small)

    def places(self) -> dict[str, tuple[int, int]]:
        """Return where in the slot each content is, by name: offset and length."""
        small = {name: inodes[0] for name, inodes in self._small.items()}
        return {name: (inode.data_position, inode.size) for name, inode in {**small, **self._large}.items()}

    def holds(self, name: str, *, size: int, digest: str) -> bool:
        """Tell whether a content is in its place already, from an attempt that was cut short; then it stays."""
        large = self._large.get(name)
        start = large.data_position if large else self._small[name][0].data_position
        state, pieces = sha256(), []
        for offset in range(start, start + size, HASHED_BYTES):
            piece = os.pread(self._descriptor, min(HASHED_BYTES, start + size - offset), offset)
            state.update(piece)
            if not large or name in self._small:
                pieces.append(piece)
        if state.hexdigest() != digest:
            return False
        if large:
            files.write_at(self._descriptor, bytes(-size % BLOCK), offset=large.data_position + size)
        for inode in self._small.get(name, ()):
            self._head[inode.data_position : inode.data_position + size] = b"".join(pieces)
        return True

    def finish(self) -> None:
        """Write what stands before the files, now that the small ones are in it."""
        erofs.seal_head(self._head)
        files.write_at(self._descriptor, self._head, offset=0)

"""Read EROFS images that are not compressed: our own, and those of a plain `mkfs.erofs`.

    with path.open("rb") as file:
        filesystem = Filesystem(file)
        tree = filesystem.tree()
        os_release = filesystem.read("etc/os-release")

An image may come from anywhere, so nothing in it is believed: every place is checked against the image's end, and the
parts of an honest image do not overlap, so one that makes the reader take in more bytes than it has is refused.
"""

import hashlib
import io
import os
import uuid as uuids
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from jeos.core.errors import InputError
from jeos.disk import erofs_format as fmt
from jeos.disk.erofs_format import BLOCK
from jeos.model.tree import KIND_OF_TYPE, TYPE_MASK, Entry, Kind, Tree

PATH_BYTES = 4095  # PATH_MAX without its zero byte: what Linux can open in one call
READ_BYTES = 1 << 20

_PREFIXES = {number: prefix for prefix, number in fmt.XATTR_PREFIXES}


def damaged(what: str) -> InputError:
    """Return the error for an image that contradicts itself."""
    return InputError(f"the EROFS image is damaged: {what}", hint="fsck.erofs may tell more; fetch or build it again")


@dataclass(frozen=True, slots=True)
class Inode:
    """One inode as it is stored; `start` is the byte offset of its whole blocks, `tail` that of the rest."""

    nid: int
    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    device: tuple[int, int]
    links: int
    xattr_position: int
    xattr_size: int
    start: int
    whole: int
    tail: int


class _Budget:
    """Counts the bytes that were taken in: more than the image has means that its parts overlap."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, length: int) -> None:
        self._left -= length
        if self._left < 0:
            raise damaged("its parts overlap, and would unfold to more than the image holds")


class Filesystem:
    """An EROFS image in an open file, from byte `offset` on."""

    def __init__(self, file: BinaryIO, *, offset: int = 0) -> None:
        """Read the superblock. Raises InputError if there is none that jeos reads."""
        self._file = file
        self._offset = offset
        file.seek(offset)
        self.superblock = fmt.Superblock.parse(file.read(BLOCK))
        self.size = self.superblock.blocks * BLOCK
        there = file.seek(0, os.SEEK_END) - offset
        if there < self.size:
            raise damaged(f"it should have {self.size} bytes and has {there}")

    @property
    def uuid(self) -> str:
        """Return the UUID of the file system."""
        return str(uuids.UUID(bytes=self.superblock.uuid))

    @property
    def label(self) -> str:
        """Return the label of the file system."""
        return self.superblock.label.decode(errors="replace")

    def tree(self, *, digests: bool = False) -> Tree:
        """Return all entries, with the SHA-256 of each file if `digests`: that reads the whole image.

        Of several names of one inode, the first in tree order is the file, the others are its hard links.
        Raises InputError if the image is damaged, or has a file that is compressed.
        """
        walk = _Walk(self, digests=digests)
        return Tree(tuple(walk.entries()))

    def places(self) -> tuple[Tree, dict[str, tuple[int, int] | None]]:
        """Return all entries, and for each file by its path where in the image its bytes are: offset and length.

        None stands for a file whose last bytes are not behind the others; an image of jeos has none of these.
        """
        walk = _Walk(self, digests=False)
        return Tree(tuple(walk.entries())), walk.places

    def open(self, path: str) -> BinaryIO:
        """Open the file at `path` (as in a tree; links are not followed) for reading, at any place.

        Raises InputError if there is no such file.
        """
        inode = self.inode(self.superblock.root_nid)
        for part in os.fsencode(path).split(b"/"):
            if inode.kind is not Kind.DIRECTORY:
                raise InputError(f"there is no file /{path} in the image")
            found = dict(self.names(inode)).get(part)
            if found is None:
                raise InputError(f"there is no file /{path} in the image")
            inode = self.inode(found[0])
        if inode.kind is not Kind.FILE:
            raise InputError(f"/{path} is a {inode.kind} in the image, not a file")
        return io.BufferedReader(_Content(self, inode), READ_BYTES)

    def read(self, path: str) -> bytes:
        """Return all bytes of the file at `path`. Raises InputError if there is no such file."""
        with self.open(path) as file:
            return file.read()

    def _bytes(self, position: int, length: int) -> bytes:
        """Return bytes of the image, all of them within it."""
        if position < 0 or position + length > self.size:
            raise damaged(f"bytes {position} to {position + length} are wanted of {self.size}")
        self._file.seek(self._offset + position)
        found = self._file.read(length)
        if len(found) < length:
            raise damaged(f"it ends before byte {position + length}")
        return found

    def inode(self, nid: int) -> Inode:
        """Return an inode by its number. Raises InputError if it is damaged, or its data is packed."""
        position = self.superblock.meta_block * BLOCK + nid * fmt.SLOT
        core = self._bytes(position, fmt.COMPACT_INODE.size)
        if core[0] & fmt.EXTENDED:
            core += self._bytes(position + len(core), fmt.EXTENDED_INODE.size - len(core))
            bits, xattrs, mode, _, size, data, _, uid, gid, mtime, _, links = fmt.EXTENDED_INODE.unpack(core)
        else:
            bits, xattrs, mode, links, size, _, data, _, uid, gid, _ = fmt.COMPACT_INODE.unpack(core)
            mtime = self.superblock.time
        layout = (bits & ~fmt.EXTENDED) >> fmt.LAYOUT_SHIFT
        kind = KIND_OF_TYPE.get(mode & TYPE_MASK)
        if kind is None:
            raise damaged(f"inode {nid} has mode {mode:o}")
        if layout not in (fmt.LAYOUT_PLAIN, fmt.LAYOUT_INLINE):
            raise InputError(
                f"inode {nid} of the EROFS image has data layout {layout}, which jeos does not read",
                hint="jeos reads images without compression and chunks: `mkfs.erofs IMAGE FOLDER` makes one",
            )
        xattr_position = position + len(core)
        xattr_size = fmt.XATTR_HEADER.size + (xattrs - 1) * fmt.XATTR_UNIT if xattrs else 0
        tail = xattr_position + xattr_size
        whole = size
        if layout == fmt.LAYOUT_INLINE:
            whole = max(size - 1, 0) // BLOCK * BLOCK
            if tail % BLOCK + size - whole > BLOCK:
                raise damaged(f"the data of inode {nid} crosses the end of its block")
        has_data = kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)
        if has_data and whole and data * BLOCK + whole > self.size:
            raise damaged(f"the data of inode {nid} ends behind the image's end")
        return Inode(
            nid=nid,
            kind=kind,
            mode=mode & fmt.MODE_PERMISSIONS,
            uid=uid,
            gid=gid,
            mtime=mtime,
            size=size if has_data else 0,
            device=fmt.decode_device(data) if kind in (Kind.CHARACTER, Kind.BLOCK) else (0, 0),
            links=links,
            xattr_position=xattr_position,
            xattr_size=xattr_size,
            start=data * BLOCK,
            whole=whole,
            tail=tail,
        )

    def data(self, inode: Inode, position: int, length: int) -> bytes:
        """Return up to `length` bytes of an inode's data; fewer where its whole blocks or its data end."""
        if position < inode.whole:
            return self._bytes(inode.start + position, min(length, inode.whole - position))
        at = inode.tail + position - inode.whole
        return self._bytes(at, max(0, min(length, inode.size - position)))

    def names(self, inode: Inode) -> Iterator[tuple[bytes, tuple[int, int]]]:
        """Yield each name in a directory with its inode and its type, in the order of names, "." and ".." left out."""
        before = b""
        for start in range(0, inode.size, BLOCK):
            block = self.data(inode, start, min(BLOCK, inode.size - start))
            for name, nid, kind in _parse_folder(block):
                if name <= before or b"/" in name or b"\0" in name:
                    raise damaged(f"directory {inode.nid} has the name {name!r} behind {before!r}")
                before = name
                if name not in (b".", b".."):
                    yield name, (nid, kind)


def _parse_folder(block: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, inode and type of each record in a block of a directory."""
    if len(block) < fmt.DIRENT.size:
        raise damaged("a directory's block is too short for a name")
    _, first, _, _ = fmt.DIRENT.unpack_from(block)
    if first % fmt.DIRENT.size or not fmt.DIRENT.size <= first <= len(block):
        raise damaged(f"a directory's names begin at {first}")
    records = list(fmt.DIRENT.iter_unpack(block[:first]))
    ends = [record[1] for record in records[1:]] + [len(block)]
    for (nid, start, kind, _), end in zip(records, ends, strict=True):
        if not first <= start < end <= len(block):
            raise damaged(f"a directory has a name from {start} to {end}")
        name = block[start:end]
        if end == len(block):
            name = name.rstrip(b"\0")  # the last name may be followed by the rest of its block
        if len(name) > fmt.NAME_BYTES:
            raise damaged(f"a directory has a name of {len(name)} bytes")
        yield name, nid, kind


class _Walk:
    """One pass over all directories of an image."""

    def __init__(self, filesystem: Filesystem, *, digests: bool) -> None:
        self._filesystem = filesystem
        self._digests = digests
        self._structure = _Budget(filesystem.size)
        self._contents = _Budget(filesystem.size)
        self._known_digests: dict[tuple[int, int], str] = {}
        self._shared: dict[int, tuple[str, bytes]] = {}
        self.places: dict[str, tuple[int, int] | None] = {}

    def entries(self) -> Iterator[Entry]:
        """Yield all entries in tree order."""
        first: dict[int, Entry] = {}
        stack = [("", self._filesystem.superblock.root_nid, fmt.FILE_TYPES[Kind.DIRECTORY])]
        while stack:
            path, nid, kind = stack.pop()
            if nid in first:
                known = first[nid]
                if known.kind is Kind.DIRECTORY:
                    raise damaged(f"/{path} and /{known.path} are the same directory")
                yield replace(known, path=path, hardlink=known.path)
                continue
            inode = self._filesystem.inode(nid)
            if fmt.FILE_TYPES[inode.kind] != kind:
                raise damaged(f"/{path} is a {inode.kind}, but its directory says type {kind}")
            entry = first[nid] = self._entry(path, inode)
            yield entry
            if inode.kind is Kind.DIRECTORY:
                stack += reversed(list(self._children(path, inode)))

    def _children(self, path: str, inode: Inode) -> Iterator[tuple[str, int, int]]:
        self._structure.take(inode.size)
        for name, (nid, kind) in self._filesystem.names(inode):
            child = f"{path}/{os.fsdecode(name)}" if path else os.fsdecode(name)
            if len(os.fsencode(child)) > PATH_BYTES:
                raise damaged(f"the path /{child[:60]}… is longer than {PATH_BYTES} bytes")
            yield child, nid, kind

    def _entry(self, path: str, inode: Inode) -> Entry:
        self._structure.take(fmt.COMPACT_INODE.size)
        if inode.kind is Kind.FILE:
            whole = inode.whole >= inode.size
            self.places[path] = (inode.start if whole else inode.tail, inode.size) if whole or not inode.whole else None
        return Entry(
            path=path,
            kind=inode.kind,
            mode=inode.mode,
            uid=inode.uid,
            gid=inode.gid,
            mtime=inode.mtime,
            size=inode.size if inode.kind is Kind.FILE else 0,
            digest=self._digest(inode) if self._digests and inode.kind is Kind.FILE else "",
            target=self._target(inode) if inode.kind is Kind.SYMLINK else "",
            device=inode.device,
            xattrs=tuple(sorted(self._xattrs(inode))) if inode.xattr_size else (),
        )

    def _target(self, inode: Inode) -> str:
        if not 0 < inode.size <= fmt.TARGET_BYTES:
            raise damaged(f"symbolic link {inode.nid} has a target of {inode.size} bytes")
        self._structure.take(inode.size)
        target = b"".join(_pieces(self._filesystem, inode))
        if b"\0" in target:
            raise damaged(f"symbolic link {inode.nid} has the target {target!r}")
        return os.fsdecode(target)

    def _digest(self, inode: Inode) -> str:
        place = (inode.start if inode.whole else inode.tail, inode.size)
        if place not in self._known_digests:
            self._contents.take(inode.size)
            state = hashlib.sha256()
            for piece in _pieces(self._filesystem, inode):
                state.update(piece)
            self._known_digests[place] = state.hexdigest()
        return self._known_digests[place]

    def _xattrs(self, inode: Inode) -> Iterator[tuple[str, bytes]]:
        self._structure.take(inode.xattr_size)
        body = self._filesystem._bytes(inode.xattr_position, inode.xattr_size)
        _, shared = fmt.XATTR_HEADER.unpack_from(body)
        position = fmt.XATTR_HEADER.size + shared * 4
        if position > len(body):
            raise damaged(f"inode {inode.nid} has {shared} shared attributes in {len(body)} bytes")
        for start in range(fmt.XATTR_HEADER.size, position, 4):
            yield self._shared_xattr(int.from_bytes(body[start : start + 4], "little"))
        while position < len(body):
            if position + fmt.XATTR_ENTRY.size > len(body):
                raise damaged(f"an extended attribute of inode {inode.nid} is cut off")
            name_length, _, value_length = fmt.XATTR_ENTRY.unpack_from(body, position)
            length = fmt.XATTR_ENTRY.size + name_length + value_length
            if position + length > len(body):
                raise damaged(f"an extended attribute of inode {inode.nid} is cut off")
            yield _xattr(body[position : position + length])
            position += length + fmt.padding(length, unit=fmt.XATTR_UNIT)

    def _shared_xattr(self, number: int) -> tuple[str, bytes]:
        if number not in self._shared:
            position = self._filesystem.superblock.xattr_block * BLOCK + number * fmt.XATTR_UNIT
            head = self._filesystem._bytes(position, fmt.XATTR_ENTRY.size)
            name_length, _, value_length = fmt.XATTR_ENTRY.unpack(head)
            length = fmt.XATTR_ENTRY.size + name_length + value_length
            self._structure.take(length)
            self._shared[number] = _xattr(self._filesystem._bytes(position, length))
        return self._shared[number]


def _xattr(stored: bytes) -> tuple[str, bytes]:
    name_length, number, _ = fmt.XATTR_ENTRY.unpack_from(stored)
    if number not in _PREFIXES:
        raise damaged(f"an extended attribute has the name space {number}")
    end = fmt.XATTR_ENTRY.size + name_length
    return _PREFIXES[number] + os.fsdecode(stored[fmt.XATTR_ENTRY.size : end]), stored[end:]


def _pieces(filesystem: Filesystem, inode: Inode) -> Iterator[bytes]:
    position = 0
    while position < inode.size:
        piece = filesystem.data(inode, position, READ_BYTES)
        position += len(piece)
        yield piece


class _Content(io.RawIOBase):
    """A file of an image as a raw stream."""

    def __init__(self, filesystem: Filesystem, inode: Inode) -> None:
        self._filesystem = filesystem
        self._inode = inode
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._inode.size}[whence]
        if base + offset < 0:
            raise ValueError(f"a file has no byte {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._filesystem.data(self._inode, self._position, len(buffer))
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

"""A root file system as data: what each path is, who owns it, and the digest of what it holds.

    Entry(path="usr/bin/env", kind=Kind.FILE, mode=0o755, size=48144, digest="9c1f…")

A tree says nothing about where the bytes are; whoever writes a tree out is given a way to read a digest.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an entry of a file system is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    CHARACTER = "character"
    BLOCK = "block"
    FIFO = "fifo"
    SOCKET = "socket"


TYPE_MASK = 0o170000  # the bits of a mode that say the type, as on disks and in stat(2) (inode(7), S_IFMT)
TYPE_BITS = {
    Kind.FILE: 0o100000,
    Kind.DIRECTORY: 0o040000,
    Kind.CHARACTER: 0o020000,
    Kind.BLOCK: 0o060000,
    Kind.FIFO: 0o010000,
    Kind.SOCKET: 0o140000,
    Kind.SYMLINK: 0o120000,
}
KIND_OF_TYPE = {bits: kind for kind, bits in TYPE_BITS.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a tree.

    `path` is relative to the root, without a slash at either end; the root itself is "".
    `mode` holds the twelve permission bits, `mtime` whole seconds since 1970, `size` the bytes of a file.
    `digest` is the SHA-256 of a file's content in hexadecimal, `target` what a symbolic link holds,
    `device` the major and minor number of a device node, and `xattrs` names and values, sorted by name.
    `hardlink` is the path of the entry that this one is another name for; all else is then that entry's.
    """

    path: str
    kind: Kind
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    digest: str = ""
    target: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()
    hardlink: str = ""

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """Return the path of the directory that holds this entry."""
        return self.path.rpartition("/")[0]


def order(entry: Entry) -> tuple[bytes, ...]:
    """Return the key that entries are sorted by: a directory right before what it holds, names as bytes."""
    return tuple(part.encode("utf-8", "surrogateescape") for part in entry.path.split("/")) if entry.path else ()


@dataclass(frozen=True, slots=True)
class Tree:
    """All entries of a file system, the root first, each directory right before what it holds."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Tree":
        """Return a tree of entries in any order; a missing root is added as an ordinary directory."""
        found = {entry.path: entry for entry in entries}
        found.setdefault("", Entry(path="", kind=Kind.DIRECTORY))
        return cls(tuple(sorted(found.values(), key=order)))

    def by_path(self) -> dict[str, Entry]:
        """Return the entries by their path."""
        return {entry.path: entry for entry in self.entries}

    @property
    def size(self) -> int:
        """Return the bytes of all files, each hard-linked file counted once."""
        return sum(entry.size for entry in self.entries if entry.kind is Kind.FILE and not entry.hardlink)

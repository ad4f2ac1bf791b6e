"""What a file system looks like to jeos, whichever it is: nodes with names, read without mounting and without root.

    filesystem = open_filesystem(blocks)
    for name, node in filesystem.children(filesystem.find("etc")):
        ...

One module per kind, each with `probe(blocks) -> bool` and `open_filesystem(blocks) -> FileSystem`. A disk may come
from anywhere: places, sizes and depths that it claims are checked, and what contradicts itself raises InputError and
ends in bounded time and memory. Paths are relative to the root, without a slash at either end; the root is "".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jeos.core.errors import InputError
from jeos.model.tree import Kind

LINKS = 40  # symbolic links that are followed on one path; Linux's own limit (MAXSYMLINKS)
CASELESS = frozenset({"vfat", "ntfs"})  # kinds where "EFI" and "efi" are one name
READ_MOST = 1 << 30  # bytes of one read, so that a size that is only claimed takes no memory
PATH_BYTES = 4095  # PATH_MAX without its zero byte: what Linux can open in one call


class MissingFileError(InputError):
    """The file system has no such file."""


@dataclass(frozen=True, slots=True)
class Node:
    """A file, folder or link. `number` is the inode's, `mode` the twelve permission bits, `mtime` seconds since 1970.

    `size` is in bytes; `target` is what a symbolic link holds, `device` the major and minor number of a device node.
    """

    number: int
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    target: str = ""
    device: tuple[int, int] = (0, 0)
    links: int = 1


class FileSystem(Protocol):
    """A file system that is open for reading."""

    kind: str  # as blkid calls it: "ext4", "xfs", "btrfs", "vfat", "ntfs", "erofs"
    label: str
    uuid: str  # as blkid prints it

    def root(self) -> Node:
        """Return the root folder."""
        ...

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        """Yield the names in a folder and what they stand for, without "." and "..", in the order of the disk."""
        ...

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a file from `offset` on, all of them without `length`; fewer where the file ends."""
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """How full a file system is, in bytes; `clean` is false where its journal waits to be replayed."""

    size: int
    used: int
    clean: bool = True


@runtime_checkable
class Measured(Protocol):
    """A file system that knows how full it is."""

    def usage(self) -> Usage:
        """Return how full it is."""
        ...


@runtime_checkable
class Searchable(Protocol):
    """A file system that finds one name without making nodes of all others."""

    def child(self, folder: Node, name: str) -> Node | None:
        """Return what a name in a folder stands for."""
        ...


@runtime_checkable
class Subvolumes(Protocol):
    """A file system that holds several trees of files, each of which can be mounted by itself (btrfs)."""

    def subvolumes(self) -> Iterator[str]:
        """Yield the paths of subvolumes from the top ("" is the top itself), first the one that is mounted unasked."""
        ...

    def subvolume(self, path: str) -> FileSystem:
        """Return the file system as it is seen when a subvolume is mounted. Raises MissingFileError."""
        ...

    def path_of(self, number: int) -> str:
        """Return the path of the subvolume with that number. Raises MissingFileError."""
        ...


def wanted(node: Node, *, offset: int, length: int | None) -> int:
    """Return how many bytes a read of a file gives. Raises InputError for more than can be held at once."""
    if offset < 0 or (length is not None and length < 0):
        raise InputError(f"{length} bytes at {offset} of a file are no part of it")
    left = max(0, node.size - offset)
    length = left if length is None else min(left, length)
    if length > READ_MOST:
        raise InputError(
            f"a file of {node.size} bytes is too large to be read at once", hint="read it in parts, with a length"
        )
    return length


def find(filesystem: FileSystem, path: str, *, follow: bool = True) -> Node:
    """Return the node at a path; links are followed within the file system, its root being the top (as in a chroot).

    Without `follow` the last part may be a link itself. Raises MissingFileError if there is no such path.
    """
    left = [part for part in path.split("/") if part not in ("", ".")][::-1]
    trail: list[tuple[str, Node]] = []
    followed = 0
    while left:
        part = left.pop()
        if part == "..":
            if trail:
                trail.pop()
            continue
        here = trail[-1][1] if trail else filesystem.root()
        node = None
        if here.kind is Kind.DIRECTORY:
            node = child(filesystem, here, part)
        if node is None:
            raise MissingFileError(f"there is no file /{path} in the {filesystem.kind} file system")
        if node.kind is Kind.SYMLINK and (left or follow):
            followed += 1
            if followed > LINKS:
                raise InputError(f"/{path} leads through more than {LINKS} symbolic links")
            if node.target.startswith("/"):
                trail.clear()
            left += [part for part in node.target.split("/") if part not in ("", ".")][::-1]
            continue
        trail.append((part, node))
    return trail[-1][1] if trail else filesystem.root()


def child(filesystem: FileSystem, folder: Node, name: str) -> Node | None:
    """Return what a name in a folder stands for; on kinds that do not tell capitals apart, in any form."""
    if isinstance(filesystem, Searchable):
        return filesystem.child(folder, name)
    if filesystem.kind in CASELESS:
        name = name.casefold()
        return next((node for own, node in filesystem.children(folder) if own.casefold() == name), None)
    return next((node for own, node in filesystem.children(folder) if own == name), None)


def exists(filesystem: FileSystem, path: str) -> bool:
    """Tell whether a path leads to something."""
    try:
        find(filesystem, path)
    except MissingFileError:
        return False
    return True


def read_file(filesystem: FileSystem, path: str, *, limit: int = 16 << 20) -> bytes:
    """Return the content of the file at a path. Raises MissingFileError, or InputError beyond `limit` bytes."""
    node = find(filesystem, path)
    if node.kind is not Kind.FILE:
        raise MissingFileError(f"/{path} in the {filesystem.kind} file system is a {node.kind}, not a file")
    if node.size > limit:
        raise InputError(f"/{path} has {node.size} bytes; at most {limit} are read at once")
    return filesystem.read(node)

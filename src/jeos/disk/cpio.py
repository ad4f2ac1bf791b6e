"""A cpio archive in the form that the kernel unpacks as its first file system ("newc", magic 070701).

    write([Entry(path="init", kind=Kind.FILE, mode=0o755, digest=…)], content=blobs.__getitem__, out=file)

Same entries, same bytes: inode numbers are counted, and owner, mode and time come from the entries.
After the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from jeos.core.errors import InputError
from jeos.model.tree import TYPE_BITS, Entry, Kind, Tree

_TRAILER = "TRAILER!!!"
_ALIGNMENT = 4  # bytes, for each header with its name and for each content
_MAGIC = b"070701"
_HEADER_BYTES = 110  # the magic number and thirteen fields of eight hexadecimal digits
_SIZE_FIELDS = (54, 94)  # where the lengths of a member's content and of its name are
_LARGEST_FILE = 0xFFFFFFFF  # eight hexadecimal digits


def write(tree: Tree, *, content: Callable[[str], bytes], out: BinaryIO) -> None:
    """Write a tree as an archive; `content` returns the bytes for a file's digest.

    Raises InputError for what this writer does not do: hard links, extended attributes, files of 4 GiB.
    """
    for number, entry in enumerate(tree, start=1):
        if entry.path == "":
            continue
        if entry.hardlink or entry.xattrs:
            raise InputError(f"/{entry.path}: an initrd here holds no hard links and no extended attributes")
        data = b""
        if entry.kind is Kind.FILE:
            data = content(entry.digest)
        elif entry.kind is Kind.SYMLINK:
            data = entry.target.encode("utf-8", "surrogateescape")
        if len(data) > _LARGEST_FILE:
            raise InputError(f"/{entry.path}: {len(data)} bytes are too many for a cpio archive")
        _write_member(out, entry=entry, number=number, mode=TYPE_BITS[entry.kind] | entry.mode, data=data)
    _write_member(out, entry=Entry(path=_TRAILER, kind=Kind.FILE), number=0, mode=0, data=b"")


def members(archive: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield each member's name, and where in the archive its content is: offset and length. Raises InputError."""
    position = 0
    while archive[position : position + len(_MAGIC)] == _MAGIC:
        try:
            size, name_size = (int(archive[position + at : position + at + 8], 16) for at in _SIZE_FIELDS)
        except ValueError as error:
            raise InputError("a cpio archive is damaged: a length is no number") from error
        name = position + _HEADER_BYTES
        start = name + name_size + -(name + name_size) % _ALIGNMENT
        if start + size > len(archive):
            raise InputError("a cpio archive is damaged: it ends within a member")
        yield archive[name : name + name_size - 1].decode("utf-8", "surrogateescape"), start, size
        position = start + size + -size % _ALIGNMENT


def _write_member(out: BinaryIO, *, entry: Entry, number: int, mode: int, data: bytes) -> None:
    name = entry.path.encode("utf-8", "surrogateescape") + b"\0"
    links = 2 if entry.kind is Kind.DIRECTORY else 1
    major, minor = entry.device
    fields = (number, mode, entry.uid, entry.gid, links, entry.mtime, len(data), 0, 0, major, minor, len(name), 0)
    header = _MAGIC + b"".join(b"%08X" % field for field in fields)
    for part in (header + name, data):
        out.write(part)
        out.write(bytes(-len(part) % _ALIGNMENT))

"""Disk formats: each read as `Blocks`, in place, by one module that is found by what the disk begins or ends with.

    with open_disk(Path("disk.vmdk")) as disk:      # or Blocks: a member of an archive
        disk.format, disk.size, disk.read(0, 512)

A reader is a module with `probe(blocks) -> bool` and `open(blocks, place) -> Blocks`; adding one means adding a file,
its name to `READERS`, and its test. A raw disk can begin as its guest likes, and name other disks of the host: so a
disk whose format is only found out opens others where its name ends as the format's do.
"""

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from jeos.core.closing import Closing
from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, File
from jeos.disk.formats.siblings import Distrusted, Folder, Place, Siblings

READERS = ("qcow2", "vmdk", "vhdx", "vdi", "vhd", "raw")  # in the order in which they look at a disk


class Reader(Protocol):
    """A module that reads one format."""

    SUFFIXES: tuple[str, ...]  # of files in the format, in lower case

    def probe(self, blocks: Blocks) -> bool:
        """Tell whether a file has the format."""
        ...

    def open(self, blocks: Blocks, place: Place) -> Blocks:
        """Return the disk. Raises InputError if it is damaged or needs what is not there."""
        ...


class Disk(Closing):
    """An open disk; closes its files at the end of a `with` block."""

    def __init__(self, blocks: Blocks, *, format: str, stack: ExitStack) -> None:
        self.format = format
        self._blocks, self._stack = blocks, stack

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._blocks.size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        return self._blocks.read(offset, length)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that may hold something other than zeros."""
        return self._blocks.data(start, end)

    def close(self) -> None:
        """Close the files."""
        self._stack.close()


def open_disk(
    source: Path | Blocks,
    *,
    format: str = "",
    siblings: Siblings | None = None,
    name: str = "",
    anywhere: bool = False,
) -> Disk:
    """Open a disk, in a file or in `Blocks` that stay the caller's.

    `siblings` has the other files that it may name, `name` its own name among them; for a path they are its folder's,
    and with `anywhere` those that it names outside of it, too. A device is raw unless `format` says otherwise, for
    whoever wrote to it may have written the beginning of another format.
    Where `format` is not given, other files are opened only for a disk that is named as one that may have some.
    Raises InputError if the disk is damaged, or needs what is not there.
    """
    with ExitStack() as stack:
        if isinstance(source, Path):
            path, source = source, stack.enter_context(File(source))
            if stat.S_ISBLK(path.stat().st_mode):
                format = format or "raw"
            siblings = siblings or Folder(path.resolve().parent, anywhere=anywhere, stack=stack)
            name = name or path.resolve().name
        chosen = format or detect(source)
        if not format and siblings and not name.lower().endswith(_reader(chosen).SUFFIXES):
            siblings = Distrusted(name, format=chosen)
        blocks = open_as(source, Place(siblings, name=name), format=chosen)
        return Disk(blocks, format=chosen, stack=stack.pop_all())


def detect(blocks: Blocks) -> str:
    """Return the name of the format that a file begins or ends as."""
    return next(name for name in READERS if _reader(name).probe(blocks))


def named_format(blocks: Blocks, place: Place) -> str:
    """Return the format of a file that another one lies over without saying in which format it is.

    Raises InputError where it begins as a disk in a format, and is named otherwise.
    """
    found = detect(blocks)
    if found != "raw" and not place.name.lower().endswith(_reader(found).SUFFIXES):
        raise InputError(
            f"{place.label} begins as a {found} disk; but who writes to a raw disk can make it begin so",
            hint=f"if you know that it is one: qemu-img rebase -u -F {found} -b {place.label} DISK",
        )
    return found


def open_as(blocks: Blocks, place: Place, *, format: str = "") -> Blocks:
    """Return the disk in a file, for a reader that opens what a disk lies over. Raises InputError."""
    chosen = format or detect(blocks)
    if chosen not in READERS:
        raise InputError(
            f"{place.label} is said to be in {format!r} format", hint=f"formats that are read: {', '.join(READERS)}"
        )
    return _reader(chosen).open(blocks, place)


def _reader(name: str) -> Reader:
    """Return a reader's module; each is loaded only when it is needed."""
    return cast(Reader, import_module(f"{__name__}.{name}"))

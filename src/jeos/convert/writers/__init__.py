"""Who writes to which file system: one module for each way, found by the kind that blkid calls it.

    writer = writer_for("ext4")
    writer.check_host()                       # raises HostError for what this machine lacks
    writer.edit(Place(Path("work.raw"), offset=1 << 20, size=1 << 30), edits)

A writer works on a copy, in a raw file, and leaves the file system clean. Adding one means adding its module, its name
to `WRITERS`, and its test.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from jeos.convert.writers.base import Edit, Place
from jeos.core.errors import InputError

WRITERS = {
    "ext2": "ext",
    "ext3": "ext",
    "ext4": "ext",
    "vfat": "fat",
    "xfs": "mounted",
    "btrfs": "mounted",
}


class Writer(Protocol):
    """A module that writes to file systems."""

    def check_host(self) -> None:
        """Raise HostError if this machine lacks what is needed."""
        ...

    def settle(self, place: Place, *, kind: str) -> None:
        """Bring a file system that was not put away in order to what mounting it would make of it."""
        ...

    def edit(self, place: Place, edits: Sequence[Edit], *, kind: str) -> None:
        """Make the changes, in their order. Raises InputError if the file system is damaged, ProcessError."""
        ...


def writer_for(kind: str) -> Writer:
    """Return the writer for a kind of file system. Raises InputError if there is none."""
    if kind not in WRITERS:
        raise InputError(
            f"jeos cannot write to a file system of the kind {kind or 'unknown'}",
            hint="convert with --no-fixes, and mend the machine from a rescue system",
        )
    return cast(Writer, import_module(f"{__name__}.{WRITERS[kind]}"))

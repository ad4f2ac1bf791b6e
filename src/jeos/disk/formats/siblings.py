"""The files beside a disk that the disk names: its extents, and the disks that it lies over.

    place = Place(Folder(path.parent), name=path.name)
    blocks, there = place.open("base.qcow2")

A disk from outside names whatever it likes. A `Folder` opens only what lies in it; names that lead elsewhere (as those
of a chain that was made on another host do) are looked for by their last part, unless its owner allows `anywhere`.
"""

import ntpath
import posixpath
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, File

DEEPEST = 64  # disks that lie over one another; a hypervisor's own limit is 30 (VMware) to about 50
MOST_NAMES = 10_000  # files in a folder that are looked at


class Siblings(Protocol):
    """Files by their names, wherever they are kept: a folder, an archive."""

    def open(self, name: str) -> Blocks:
        """Return a file by its relative name, with "/" between its parts.

        Raises InputError if there is none, or the name leads out.
        """
        ...

    def names(self) -> Sequence[str]:
        """Return the names of the files that there are."""
        ...


class Folder:
    """The files in a folder, and nothing outside of it, unless `anywhere` trusts the names that a disk has."""

    def __init__(self, path: Path, *, anywhere: bool = False, stack: ExitStack | None = None) -> None:
        """Open files of a folder; `stack` closes them."""
        self._path, self._anywhere = path.resolve(), anywhere
        self._stack = stack or ExitStack()
        self._opened: dict[Path, File] = {}

    def open(self, name: str) -> Blocks:
        """Return a file of the folder. Raises InputError if it is not there."""
        try:
            path = (self._path / name).resolve()
            usable = path.is_file() or (self._anywhere and path.is_block_device())
        except (OSError, RuntimeError, ValueError):  # a loop of links, a zero byte
            raise InputError(f"the name {name[:200]!r} is not usable", hint="the disk is damaged") from None
        if not self._anywhere and not path.is_relative_to(self._path):
            raise InputError(
                f"the disk names {name[:200]!r}, which is not in the folder {self._path}",
                hint="put a copy of that file beside the disk, if you trust where the disk is from",
            )
        if not usable:
            raise InputError(
                f"the disk needs the file {name[:200]!r}, which is not in the folder {self._path}",
                hint="copy all files of the disk into one folder",
            )
        if path not in self._opened:
            self._opened[path] = self._stack.enter_context(File(path))
        return self._opened[path]

    def names(self) -> Sequence[str]:
        """Return the names of the files in the folder, sorted."""
        found: list[str] = []
        for path in self._path.iterdir():
            if len(found) == MOST_NAMES:
                break
            if path.is_file():
                found.append(path.name)
        return sorted(found)


class Distrusted:
    """No files, for a disk whose own guest may have made it begin so that it names others."""

    def __init__(self, name: str, *, format: str) -> None:
        self._name, self._format = name, format

    def open(self, name: str) -> Blocks:
        """Raise InputError."""
        raise InputError(
            f"{self._name} needs the file {name[:200]!r}; but who writes to a raw disk can make it begin so",
            hint=f"if you know that it is {self._format}: give it a name that ends so, or add --format {self._format}",
        )

    def names(self) -> Sequence[str]:
        """Return no names."""
        return ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a disk's file is: its name among its siblings, and the names of the disks that led to it."""

    siblings: Siblings | None = None
    name: str = ""
    trail: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """Return what messages call the file."""
        return posixpath.basename(self.name) or "the disk"

    def open(self, *names: str) -> tuple[Blocks, "Place"]:
        """Return the first of these files that is there: an extent of the disk.

        Names may be those of another host (`C:\\VMs\\a.vmdk`, `/vms/a.vmdk`): then their last part is looked for, too.
        Raises InputError.
        """
        wanted = [name for name in names if name]
        if not wanted:
            raise InputError(f"{self.label} needs another file and does not name it", hint="the disk is damaged")
        if self.siblings is None:
            raise InputError(
                f"{self.label} needs the file {wanted[0][:200]!r}", hint="give the disk as a file in its folder"
            )
        first: InputError | None = None
        for candidate in dict.fromkeys(one for name in wanted for one in self._candidates(name)):
            try:
                return self.siblings.open(candidate), replace(self, name=candidate)
            except InputError as error:
                first = first or error
        assert first is not None
        raise first

    def open_parent(self, *names: str) -> tuple[Blocks, "Place"]:
        """Return the file of the disk that this one lies over. Raises InputError if that leads in a circle."""
        blocks, place = self.open(*names)
        trail = (*self.trail, posixpath.normpath(self.name))
        if posixpath.normpath(place.name) in trail:
            raise InputError(f"{self.label} lies over {place.label}, which lies over it", hint="the disk is damaged")
        if len(trail) > DEEPEST:
            raise InputError(f"more than {DEEPEST} disks lie over one another", hint="consolidate the snapshots first")
        return blocks, replace(place, trail=trail)

    def _candidates(self, name: str) -> list[str]:
        """Return the relative names to look for."""
        folder = posixpath.dirname(self.name)
        unix = name.replace("\\", "/") if "\\" in name else name
        found = []
        if not ntpath.splitdrive(name)[0]:
            found.append(posixpath.normpath(posixpath.join(folder, unix)))
        found.append(posixpath.normpath(posixpath.join(folder, ntpath.basename(name))))
        return found

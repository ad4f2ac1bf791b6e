"""What is known of each family of operating systems: one module for each, found by what is in its root.

    kind = kind_of(Root([mounted]))
    system, root = kind.describe(place)

A module has `recognise(root) -> bool`, `describe(place) -> (System, Root)` and `files(place, notes=…) -> Root`. It is
imported only when the ones before it did not know the files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, cast

from jeos.convert.survey import Survey, System
from jeos.core.errors import InputError
from jeos.disk.filesystems.base import FileSystem
from jeos.disk.root import Mounted, Root

FAMILIES = ("linux", "windows")


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A file system that may hold a system, and all that is around it.

    `survey` has disks and volumes and no systems yet; `first_sectors` are those of the disks, by their names.
    """

    survey: Survey
    filesystems: Mapping[str, FileSystem]
    mounted: Mounted
    first_sectors: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def root(self) -> Root:
        """Return the files of this file system alone."""
        return Root([self.mounted])


class Family(Protocol):
    """A module that knows one family."""

    def recognise(self, root: Root) -> bool:
        """Tell whether a system of this family is in these files."""
        ...

    def describe(self, place: Place) -> tuple[System, Root]:
        """Return what the system is, and its files over all its mounts. Raises InputError."""
        ...

    def files(self, place: Place, *, notes: list[str]) -> Root:
        """Return its files over all its mounts, without a look at what the system is. Raises InputError."""
        ...


def kind_of(root: Root) -> Family | None:
    """Return the family of the system in these files, None if there is none."""
    for name in FAMILIES:
        family = cast(Family, import_module(f"{__name__}.{name}"))
        try:
            if family.recognise(root):
                return family
        except InputError:
            continue
    return None

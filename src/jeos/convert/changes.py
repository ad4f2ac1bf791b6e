"""What a conversion changes in a machine's files, as values: planned without touching anything, applied later.

    Fix(name="fstab", title="file systems by UUID", changes=(Write("etc/fstab", b"UUID=… / ext4 …"),))

Paths are the machine's own, without a slash at the start; how they map to file systems is the business of whoever
applies them. A fix is one module in `adapt/`, whose `plan` looks at a machine and returns a `Fix`, or None where there
is nothing to mend.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jeos.disk.hive_edit import Keys


@dataclass(frozen=True, slots=True)
class Write:
    """Give a file this content. One that is there keeps its owner and mode; a new one is root's, with `mode`."""

    path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Append:
    """Add bytes at the end of a file, which is padded with zeros to a multiple of `align` first."""

    path: str
    content: bytes
    align: int = 1


@dataclass(frozen=True, slots=True)
class Link:
    """Make a symbolic link, in place of a file or link that is there."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete a file or link; nothing happens if it is not there."""

    path: str


@dataclass(frozen=True, slots=True)
class Registry:
    """Set keys and values in a hive of Windows's registry; all else in it stays as it is."""

    path: str
    keys: "tuple[Keys, ...]"


Change = Write | Append | Link | Remove | Registry


@dataclass(frozen=True, slots=True)
class Fix:
    """What one fix would change and why; `cannot` says what it found and cannot mend.

    With `stops` that forbids converting the machine as it is.
    """

    name: str
    title: str
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    stops: bool = False

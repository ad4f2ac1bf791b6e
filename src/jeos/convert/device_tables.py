"""Tables in /etc whose lines name devices, such as fstab and crypttab: names of hardware become what is written there.

mended(machine, "etc/fstab", rewrite=fstab.rewrite, lost="its mount will fail")
"""

from collections.abc import Callable
from dataclasses import dataclass

from jeos.convert.changes import Write
from jeos.convert.devices import by_hardware, stable_name
from jeos.convert.machine import Machine

Renamed = Callable[[str, str], str]  # the name to write, for the name of a device and what the line is about


@dataclass(frozen=True, slots=True)
class Mended:
    """What a table becomes, as the parts of a fix; it says nothing where nothing needs to be mended."""

    changes: tuple[Write, ...] = ()
    notes: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.notes or self.cannot)


def mended(machine: Machine, path: str, *, rewrite: Callable[[str, Renamed], str], lost: str) -> Mended:
    """Return a table of a Linux system with the names of hardware replaced by `rewrite`, all else byte for byte.

    `lost` tells what happens to a line whose device is on none of the disks.
    """
    before = machine.root.text_or_empty(path) if machine.linux else ""
    notes: list[str] = []
    cannot: list[str] = []

    def renamed(name: str, subject: str) -> str:
        if not by_hardware(name):
            return name
        stable = stable_name(machine, name)
        if stable is None:
            cannot.append(f"/{path}: {name} for {subject} is on none of the disks; {lost}")
            return name
        notes.append(f"/{path}: {subject} is found by {stable}, since {name} has another name on the new home")
        return stable

    after = rewrite(before, renamed)
    changes = (Write(path, after.encode("utf-8", "surrogateescape")),) if after != before else ()
    return Mended(changes, tuple(notes), tuple(cannot))

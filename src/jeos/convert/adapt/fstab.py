"""Have the machine mount its file systems by what is written in them, not by how their disk is attached."""

import re
from collections.abc import Callable

from jeos.convert.changes import Fix, Write
from jeos.convert.devices import by_hardware, stable_name
from jeos.convert.machine import Machine, Options

NAME = "fstab"
TITLE = "file systems by UUID in /etc/fstab"
ORDER = 30

_PATH = "etc/fstab"
_LINE = re.compile(r"(\s*)([^\s#]\S*)(\s+)(\S+)", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return fstab with the first field of each line that names hardware replaced, all else byte for byte."""
    before = machine.root.text_or_empty(_PATH) if machine.linux else ""
    notes: list[str] = []
    cannot: list[str] = []

    def renamed(name: str, where: str) -> str:
        if not by_hardware(name):
            return name
        stable = stable_name(machine, name)
        if stable is None:
            cannot.append(f"/{_PATH}: {name} for {where} is on none of the disks; its mount will fail")
            return name
        notes.append(f"/{_PATH}: {where} is found by {stable}, since {name} has another name on the new home")
        return stable

    after = rewrite(before, renamed)
    if not notes and not cannot:
        return None
    changes = (Write(_PATH, after.encode("utf-8", "surrogateescape")),) if after != before else ()
    return Fix(NAME, TITLE, changes=changes, notes=tuple(notes), cannot=tuple(cannot))


def rewrite(text: str, renamed: Callable[[str, str], str]) -> str:
    """Return a fstab with the names of devices that `renamed` gives for a name and its mount point (fstab(5))."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if match := _LINE.match(line):
            space, name, gap, where = match.groups()
            lines[number] = f"{space}{renamed(name, where)}{gap}{where}{line[match.end() :]}"
    return "\n".join(lines)

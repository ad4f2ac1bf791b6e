"""Have the machine mount its file systems by what is written in them, not by how their disk is attached."""

import re

from jeos.convert.changes import Fix
from jeos.convert.device_tables import Renamed, mended
from jeos.convert.machine import Machine, Options

NAME = "fstab"
TITLE = "file systems by UUID in /etc/fstab"
ORDER = 30

_PATH = "etc/fstab"
_LINE = re.compile(r"(\s*)([^\s#]\S*)(\s+)(\S+)", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return fstab with the first field of each line that names hardware replaced, all else byte for byte."""
    found = mended(machine, _PATH, rewrite=rewrite, lost="its mount will fail")
    if not found:
        return None
    return Fix(NAME, TITLE, changes=found.changes, notes=found.notes, cannot=found.cannot)


def rewrite(text: str, renamed: Renamed) -> str:
    """Return a fstab with the names of devices that `renamed` gives for a name and its mount point (fstab(5))."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if match := _LINE.match(line):
            space, name, gap, where = match.groups()
            lines[number] = f"{space}{renamed(name, where)}{gap}{where}{line[match.end() :]}"
    return "\n".join(lines)

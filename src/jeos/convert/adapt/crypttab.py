"""Have the machine find its encrypted volumes by what is written in them, not by how their disk is attached."""

import re

from jeos.convert.changes import Fix
from jeos.convert.device_tables import Renamed, mended
from jeos.convert.machine import Machine, Options

NAME = "crypttab"
TITLE = "encrypted volumes by UUID in /etc/crypttab"
ORDER = 31

_PATH = "etc/crypttab"
_LINE = re.compile(r"(\s*[^\s#]\S*\s+)(\S+)", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return crypttab with the second field of each line that names hardware replaced, all else byte for byte."""
    found = mended(machine, _PATH, rewrite=rewrite, lost="it will not be opened")
    if not found:
        return None
    return Fix(NAME, TITLE, changes=found.changes, notes=found.notes, cannot=found.cannot)


def rewrite(text: str, renamed: Renamed) -> str:
    """Return a crypttab with the names of devices that `renamed` gives for a name and its volume (crypttab(5))."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if match := _LINE.match(line):
            start, name = match.groups()
            lines[number] = f"{start}{renamed(name, start.strip())}{line[match.end() :]}"
    return "\n".join(lines)

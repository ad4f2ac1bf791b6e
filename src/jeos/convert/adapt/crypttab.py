"""Have the machine find its encrypted volumes by what is written in them, not by how their disk is attached."""

import re
from collections.abc import Callable

from jeos.convert.changes import Fix, Write
from jeos.convert.devices import by_hardware, stable_name
from jeos.convert.machine import Machine, Options

NAME = "crypttab"
TITLE = "encrypted volumes by UUID in /etc/crypttab"
ORDER = 31

_PATH = "etc/crypttab"
_LINE = re.compile(r"(\s*[^\s#]\S*\s+)(\S+)", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return crypttab with the second field of each line that names hardware replaced, all else byte for byte."""
    before = machine.root.text_or_empty(_PATH) if machine.linux else ""
    notes: list[str] = []
    cannot: list[str] = []

    def renamed(name: str, volume: str) -> str:
        if not by_hardware(name):
            return name
        stable = stable_name(machine, name)
        if stable is None:
            cannot.append(f"/{_PATH}: {name} for {volume} is on none of the disks; it will not be opened")
            return name
        notes.append(f"/{_PATH}: {volume} is found by {stable}, since {name} has another name on the new home")
        return stable

    after = rewrite(before, renamed)
    if not notes and not cannot:
        return None
    changes = (Write(_PATH, after.encode("utf-8", "surrogateescape")),) if after != before else ()
    return Fix(NAME, TITLE, changes=changes, notes=tuple(notes), cannot=tuple(cannot))


def rewrite(text: str, renamed: Callable[[str, str], str]) -> str:
    """Return a crypttab with the names of devices that `renamed` gives for a name and its volume (crypttab(5))."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if match := _LINE.match(line):
            start, name = match.groups()
            lines[number] = f"{start}{renamed(name, start.strip())}{line[match.end() :]}"
    return "\n".join(lines)

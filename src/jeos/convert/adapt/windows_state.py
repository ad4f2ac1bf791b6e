"""Say why a Windows installation must not be changed from outside: it sleeps, or waits for a check; and what waits."""

from jeos.convert import windows
from jeos.convert.changes import Fix
from jeos.convert.machine import Machine, Options

NAME = "windows-state"
TITLE = "Windows shut down in order"
ORDER = 200


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return what keeps jeos from changing the installation, and how to mend it in Windows."""
    if machine.system.family != "windows":
        return None
    found = windows.read(machine.root)
    if found is None:
        return Fix(NAME, TITLE, cannot=("its registry was not found",), stops=True)
    if found.problems:
        return Fix(NAME, TITLE, cannot=found.problems, stops=True)
    return Fix(NAME, TITLE, cannot=found.warnings) if found.warnings else None

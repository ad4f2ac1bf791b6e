"""Say why a Windows installation must not be changed from outside: it sleeps, waits for a check, or is locked."""

from jeos.convert import windows
from jeos.convert.changes import Fix
from jeos.convert.machine import Machine, Options

NAME = "windows-state"
TITLE = "Windows shut down in order"
ORDER = 200

_LOCKED = "BitLocker"


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return what keeps jeos from changing the installation, and how to mend it in Windows."""
    if machine.system.family != "windows":
        return None
    cannot = [
        f"{volume.name} is locked by BitLocker: run `manage-bde -off C:` in Windows, wait until it has decrypted the "
        "volume, shut it down, and take the disk again"
        for volume in machine.survey.volumes
        if volume.content == _LOCKED and volume.name == machine.system.volume
    ]
    if not cannot:
        found = windows.read(machine.root)
        cannot = list(found.problems) if found else ["its registry was not found"]
    return Fix(NAME, TITLE, cannot=tuple(cannot)) if cannot else None

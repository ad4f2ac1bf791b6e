"""Let Windows start from a SATA disk, with the driver for AHCI that it has: the first of two phases without virtio.

A Windows that was installed on SCSI keeps its AHCI driver from starting at boot (since Windows 8 by a StartOverride).
Where no virtio driver can be put in, or nobody wants to rely on it, the machine starts on SATA, and gets its drivers
from within.
"""

from jeos.convert import windows
from jeos.convert.changes import Fix, Registry
from jeos.convert.machine import Machine, Options
from jeos.convert.windows import CONFIG, Windows
from jeos.disk.hive import Key
from jeos.disk.hive_edit import Keys, number

NAME = "windows-sata"
TITLE = "Windows starts from SATA disks"
ORDER = 210

_WINDOWS_8 = (6, 2)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the settings with which Windows's own AHCI driver is started by the boot loader."""
    found = windows.ready(machine.root) if machine.system.family == "windows" else None
    if found is None:
        return None
    name = "storahci" if found.version >= _WINDOWS_8 else "msahci"
    service = windows.open_hive(machine.root, "SYSTEM").key(f"{found.control_set}\\Services\\{name}")
    if service is None:
        return Fix(NAME, TITLE, cannot=(f"Windows has no AHCI driver ({name}): give it an IDE disk to start from",))
    keys = _keys(found, service)
    if not keys:
        return None
    note = f"Windows's AHCI driver ({name}) is started by the boot loader, for disks on SATA"
    return Fix(NAME, TITLE, changes=(Registry(f"{CONFIG}/SYSTEM", tuple(keys)),), notes=(note,))


def _keys(found: Windows, service: Key) -> list[Keys]:
    path = f"{found.control_set}\\Services\\{service.name}"
    keys = []
    if service.number("Start") != 0:
        keys.append(Keys(path, (number("Start", 0),)))
    override = service.key("StartOverride")
    values = tuple(number(value.name, 0) for value in override.values() if value.number) if override else ()
    if values:
        keys.append(Keys(f"{path}\\StartOverride", values))
    return keys

"""Let LVM look at the new home's disks: its list of devices, and its filter, may name the old ones only."""

import re

from jeos.convert import initrds
from jeos.convert.changes import Append, Change, Fix, Remove
from jeos.convert.machine import Machine, Options
from jeos.disk import initramfs

NAME = "lvm-devices"
TITLE = "LVM looks at the new disks"
ORDER = 35

_LIST = "etc/lvm/devices/system.devices"
_CONFIG = "etc/lvm/lvm.conf"
_LOCAL = "etc/lvm/lvmlocal.conf"  # what counts more than lvm.conf
_IGNORING = b"devices {\n\tuse_devicesfile = 0\n}\n"
_FILTER = re.compile(r"(?m)^[ \t]*(?:global_)?filter[ \t]*=[ \t]*\[[^\]]{0,2000}\]", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the removal of LVM's list of devices: without one, it looks at all (lvmdevices(8))."""
    if not machine.linux:
        return None
    root = machine.root
    changes: list[Change] = []
    notes: list[str] = []
    if root.is_file(_LIST):
        changes = [Remove(_LIST), *_plan_initrds(machine)]
        notes = [f"/{_LIST} is removed: it names the old home's disks (`lvmdevices --importvg GROUP` makes a new one)"]
    cannot = tuple(
        f"/{_CONFIG}: {' '.join(match[0].split())} may hide the new disks (/dev/vda…)"
        for match in _FILTER.finditer(root.text_or_empty(_CONFIG))
        if '"r' in match[0] and not re.search(r"\"a.(?:\^?/dev/)?(?:\.\*|vd|disk)", match[0])
    )
    if not changes and not cannot:
        return None
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes), cannot=cannot)


def _plan_initrds(machine: Machine) -> list[Change]:
    """Return the setting that has LVM in initrds ignore a copy of the list: appending replaces, but removes nothing."""
    changes: list[Change] = []
    for kernel in machine.system.kernels:
        if kernel.initrd is None:
            continue
        data = machine.root.read(kernel.initrd.path, limit=initramfs.UNPACKED_LIMIT)
        files = initrds.read(data).files
        before = files.get(_LOCAL) or b""
        if _LIST in files and _IGNORING not in before:
            archive = initramfs.archive({_LOCAL: before + _IGNORING})
            changes.append(Append(kernel.initrd.path, archive, align=initramfs.ALIGNMENT))
    return changes

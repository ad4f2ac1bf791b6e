"""Have initramfs-tools find the swap to resume from by its UUID: a name of old hardware costs half a minute's wait."""

import re
from functools import partial

from jeos.convert.changes import Append, Change, Fix, Write
from jeos.convert.devices import by_hardware, stable_name
from jeos.convert.machine import Machine, Options
from jeos.disk import initramfs

NAME = "resume-device"
TITLE = "the swap to resume from by UUID"
ORDER = 25

_SETTINGS = "etc/initramfs-tools/conf.d"
_IN_INITRD = "conf/conf.d/"
_RESUME = re.compile(r"(?m)^([ \t]*RESUME=[\"']?)(/dev/[^\s\"']+)", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the setting with a UUID, or with none for a swap that is gone, in the machine and in its initrds."""
    if not machine.linux:
        return None
    notes: list[str] = []
    changes: list[Change] = []
    for path in machine.root.glob(f"{_SETTINGS}/*"):
        before = machine.root.text_or_empty(path)
        after = _RESUME.sub(partial(_renamed, machine, path, notes), before)
        if after != before:
            changes.append(Write(path, after.encode("utf-8", "surrogateescape")))
    if changes:
        changes += _plan_initrds(machine)
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes)) if changes else None


def _renamed(machine: Machine, path: str, notes: list[str], match: re.Match[str]) -> str:
    if not by_hardware(match[2]):
        return match[0]
    name = stable_name(machine, match[2]) or "none"
    notes.append(f"/{path}: the machine resumes from {name}, since {match[2]} has another name on the new home")
    return match[1] + name


def _plan_initrds(machine: Machine) -> list[Change]:
    changes: list[Change] = []
    for kernel in machine.system.kernels:
        if kernel.initrd is None:
            continue
        data = machine.root.read(kernel.initrd.path, limit=initramfs.UNPACKED_LIMIT)
        replaced = {}
        for path, content in initramfs.read(data, wanted=lambda path: path.startswith(_IN_INITRD)).files.items():
            text = (content or b"").decode("utf-8", "surrogateescape")
            after = _RESUME.sub(partial(_renamed, machine, path, []), text)
            if after != text:
                replaced[path] = after.encode("utf-8", "surrogateescape")
        if replaced:
            changes.append(Append(kernel.initrd.path, initramfs.archive(replaced), align=initramfs.ALIGNMENT))
    return changes

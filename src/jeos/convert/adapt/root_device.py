"""Have the boot loader hand the kernel a root that is found by what is written in it, now and after its next update.

Covered are GRUB 2 (grub.cfg, its environment block, entries of the boot loader specification), GRUB 1, syslinux and
systemd-boot, and what their configuration is made from: /etc/default/grub and /etc/kernel/cmdline.
"""

import re
from collections.abc import Callable
from functools import partial

from jeos.convert import command_lines
from jeos.convert.changes import Change, Fix, Remove, Write
from jeos.convert.devices import by_hardware, stable_name
from jeos.convert.machine import Machine, Options

NAME = "root-device"
TITLE = "root= by UUID in the boot loader"
ORDER = 20

_DEVICE_MAPS = ("boot/grub/device.map", "boot/grub2/device.map")

_ARGUMENT = re.compile(r"(?<![\w.-])(root|resume)(\s*=\s*)(/dev/[^\s\"'\\;,]+)", re.ASCII)
_NO_UUID = re.compile(r"(?m)^([ \t]*(?:export[ \t]+)?(GRUB_DISABLE_(?:LINUX_)?UUID)=)([\"']?)true\3", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the configuration of boot loaders with roots that are found on any hardware."""
    if not machine.linux:
        return None
    root = machine.root
    changes: list[Change] = []
    notes: list[str] = []
    cannot: list[str] = []
    for path in command_lines.places(machine):
        before = root.read_text(path)
        after = rewrite(before, partial(_renamed, machine, path, notes, cannot))
        after = _with_uuids(after, path, notes) if path.startswith("etc/default/grub") else after
        if after != before:
            changes.append(Write(path, after.encode("utf-8", "surrogateescape")))
    for path in command_lines.environments(root):
        changes += _plan_environment(machine, path, notes, cannot)
    for path in command_lines.globbed(root, _DEVICE_MAPS):
        # grub-install stops at disks that are not there; GRUB 2 finds them without a map, GRUB 1 makes a new one.
        if any(by_hardware(word) for word in root.read_text(path).split()):
            changes.append(Remove(path))
            notes.append(f"/{path} is removed: it names the old home's disks, and GRUB finds the new ones by itself")
    if not changes and not cannot:
        return None
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(dict.fromkeys(notes)), cannot=tuple(cannot))


def rewrite(text: str, renamed: Callable[[str], str]) -> str:
    """Return a configuration with the devices that `renamed` gives for those of `root=` and `resume=`.

    Comments stay as they are, but for GRUB 1 on Debian, which keeps its settings in them ("# kopt=root=…").
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        start = line.lstrip()
        if not start.startswith("#") or start.startswith(("# kopt", "# defoptions")):
            lines[number] = _ARGUMENT.sub(lambda match: f"{match[1]}{match[2]}{renamed(match[3])}", line)
    return "\n".join(lines)


def _renamed(machine: Machine, path: str, notes: list[str], cannot: list[str], name: str) -> str:
    if not by_hardware(name):
        return name
    stable = stable_name(machine, name)
    if stable is None:
        cannot.append(f"/{path}: {name} is on none of the disks")
        return name
    notes.append(f"/{path}: {stable} for {name}, which has another name on the new home")
    return stable


def _with_uuids(text: str, path: str, notes: list[str]) -> str:
    """Return settings of update-grub that no longer forbid UUIDs, so that its next run keeps them."""
    for match in _NO_UUID.finditer(text):
        notes.append(f"/{path}: {match[2]} is off, so that the next update of GRUB keeps the UUID")
    return _NO_UUID.sub(lambda match: f"{match[1]}{match[3]}false{match[3]}", text)


def _plan_environment(machine: Machine, path: str, notes: list[str], cannot: list[str]) -> list[Change]:
    """Return the change of an environment block, in which RHEL 8 keeps the kernel's command line."""
    before = command_lines.read_block(machine.root.read(path))
    after = rewrite(before or "", partial(_renamed, machine, path, notes, cannot))
    if before is None or after == before:
        return []
    block = command_lines.write_block(after)
    if block is None:
        cannot.append(f"/{path}: the kernel's arguments have no room for a UUID in this block")
        return []
    return [Write(path, block)]

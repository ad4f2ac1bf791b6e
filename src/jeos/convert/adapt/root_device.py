"""Have the boot loader hand the kernel a root that is found by what is written in it, now and after its next update.

Covered are GRUB 2 (grub.cfg, its environment block, entries of the boot loader specification), GRUB 1, syslinux and
systemd-boot, and what their configuration is made from: /etc/default/grub and /etc/kernel/cmdline.
"""

import re
from collections.abc import Callable
from functools import partial

from jeos.convert.changes import Change, Fix, Remove, Write
from jeos.convert.devices import by_hardware, stable_name
from jeos.convert.machine import Machine, Options
from jeos.convert.root import Root

NAME = "root-device"
TITLE = "root= by UUID in the boot loader"
ORDER = 20

# Where kernels' command lines are; what the survey knows of GRUB's configuration is added.
_PATTERNS = (
    "boot/grub/grub.cfg",
    "boot/grub2/grub.cfg",
    "boot/efi/EFI/*/grub.cfg",
    "boot/grub/menu.lst",
    "boot/grub/grub.conf",
    "boot/efi/EFI/*/grub.conf",
    "boot/loader/entries/*.conf",
    "boot/efi/loader/entries/*.conf",
    "efi/loader/entries/*.conf",
    "boot/extlinux/*.conf",
    "boot/extlinux.conf",
    "boot/syslinux/*.cfg",
    "etc/default/grub",
    "etc/default/grub.d/*.cfg",
    "etc/kernel/cmdline",
    "etc/lilo.conf",
)
_ENVIRONMENTS = ("boot/grub/grubenv", "boot/grub2/grubenv", "boot/efi/EFI/*/grubenv")
_DEVICE_MAPS = ("boot/grub/device.map", "boot/grub2/device.map")
_DEFAULTS = ("etc/default/grub", "etc/default/grub.d/*.cfg")

_ARGUMENT = re.compile(r"(?<![\w.-])(root|resume)(\s*=\s*)(/dev/[^\s\"'\\;,]+)", re.ASCII)
_NO_UUID = re.compile(r"(?m)^(\s*(?:export\s+)?(GRUB_DISABLE_(?:LINUX_)?UUID)=)([\"']?)true\3", re.ASCII)
_BLOCK_BYTES = 1024  # what GRUB can read and write without a file system's help (grub2 "Environment block")
_BLOCK_MAGIC = b"# GRUB Environment Block\n"


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the configuration of boot loaders with roots that are found on any hardware."""
    if not machine.linux:
        return None
    root = machine.root
    changes: list[Change] = []
    notes: list[str] = []
    cannot: list[str] = []
    for path in _places(machine):
        before = root.read_text(path)
        after = rewrite(before, partial(_renamed, machine, path, notes, cannot))
        after = _with_uuids(after, path, notes) if path.startswith("etc/default/grub") else after
        if after != before:
            changes.append(Write(path, after.encode("utf-8", "surrogateescape")))
    for path in _globbed(root, _ENVIRONMENTS):
        changes += _plan_environment(machine, path, notes, cannot)
    for path in _globbed(root, _DEVICE_MAPS):
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


def _globbed(root: Root, patterns: tuple[str, ...]) -> list[str]:
    """Return the files that match, each once, whatever links lead to it."""
    found = {root.find(path).path: None for pattern in patterns for path in root.glob(pattern) if root.is_file(path)}
    return list(found)


def _places(machine: Machine) -> list[str]:
    boot = machine.system.boot
    known = [path for path in (*boot.configs, *boot.entries) if machine.root.is_file(path)]
    return list(dict.fromkeys([*_globbed(machine.root, _PATTERNS), *(machine.root.find(path).path for path in known)]))


def _renamed(machine: Machine, path: str, notes: list[str], cannot: list[str], name: str) -> str:
    if not by_hardware(name):
        return name
    stable = stable_name(machine.survey, name)
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
    before = machine.root.read(path)
    if not before.startswith(_BLOCK_MAGIC) or len(before) != _BLOCK_BYTES:
        return []
    text = before.rstrip(b"#").decode("utf-8", "surrogateescape")
    after = rewrite(text, partial(_renamed, machine, path, notes, cannot)).encode("utf-8", "surrogateescape")
    if after == text.encode("utf-8", "surrogateescape"):
        return []
    if len(after) > _BLOCK_BYTES:
        cannot.append(f"/{path}: the kernel's arguments have no room for a UUID in its {_BLOCK_BYTES} bytes")
        return []
    return [Write(path, after + b"#" * (_BLOCK_BYTES - len(after)))]

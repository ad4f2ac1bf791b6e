"""Put the drivers that the new home's disks need into each kernel's initrd, by appending a small archive.

The kernel unpacks archives one behind the other, and a later file replaces an earlier one. So nothing in the initrd is
touched, and nothing of the machine has to run: the modules come from its own /lib/modules, and the lists that kmod and
udev look into are written anew, for what was there and what is new together.
"""

import gzip
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jeos.convert import initrds, kernel_modules
from jeos.convert.changes import Append, Change, Fix, Write
from jeos.convert.kernel_modules import Modules
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import CARDS, DRIVERS, NEEDED, Initrd, Kernel, module_name
from jeos.core.errors import InputError
from jeos.disk import initramfs, module_index
from jeos.disk.initramfs import Initramfs
from jeos.disk.root import Root

NAME = "initrd-drivers"
TITLE = "drivers for the new home's disks in the initrd"
ORDER = 10

# What makes a SCSI or SATA disk appear, where the old machine had none; and the plain controller that hosts offer too.
_ALSO = {
    "virtio": ("sd_mod",),
    "vmware": ("sd_mod", "ahci"),
    "hyperv": ("sd_mod",),
    "virtualbox": ("sd_mod",),
}
# What to do about a kernel that has no driver for any disk of a kind of host.
_INSTEAD = {
    "virtio": "give it SATA disks instead",
    "hyperv": "only a machine of generation 1, with an IDE disk, may start it",
}
_INITRD_LIMIT = 1 << 30  # bytes
_LEVEL = 3  # of gzip; on real drivers level 9 saves a tenth of the bytes for many times the time
_FILE_NAME = "jeos-drivers.conf"
_COMMENT = "# What the disks of this machine's new home need; added by jeos convert.\n"
_CONF_MODULES = "conf/modules"


@dataclass(frozen=True, slots=True)
class _Addition:
    """What an initrd lacks: names in the order of loading, and the files to add with their bytes.

    `loads` tells whether one of the files has the initrd load them; otherwise it is left to its udev, if it has one.
    """

    names: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    loads: bool = False


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return what to append to the initrds, and the settings that keep it when they are made anew."""
    if not machine.linux:
        return None
    changes: list[Change] = []
    notes: list[str] = []
    cannot: list[str] = []
    hosts = [name for host in options.hosts for name in (*DRIVERS[host], *_ALSO.get(host, ()))]
    # Network cards wait for the real root, whose udev gives them their names.
    wanted = tuple(dict.fromkeys(name for name in hosts if name not in CARDS))
    for kernel in machine.system.kernels:
        if kernel.initrd is None or not kernel.modules:
            if not all(kernel.starts_on(host) for host in options.hosts):
                cannot.append(_hopeless(kernel))
            continue
        if all(name in kernel.initrd.modules or name in kernel.builtin for name in wanted):
            continue
        try:
            change, addition = _plan_initrd(machine.root, kernel, kernel.initrd, wanted)
        except InputError as error:
            cannot.append(f"/{kernel.initrd.path}: {error.message}")
            continue
        cannot += (text for host in options.hosts if (text := _lacking(kernel, host)))
        if change is not None:
            if not addition.loads and not kernel.initrd.generator:
                cannot.append(f"/{kernel.initrd.path}: its maker is unknown; if it loads a fixed list, use SATA disks")
            changes.append(change)
            notes.append(f"/{kernel.initrd.path} gets {', '.join(addition.names)}, which it needs to reach its disks")
    if changes:
        changes += _plan_lasting(machine.root, wanted)
    if not changes and not cannot:
        return None
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes), cannot=tuple(cannot))


def _hopeless(kernel: Kernel) -> str:
    if kernel.initrd is None:
        return f"/{kernel.path} has no initrd, and not all drivers that it needs are part of it"
    return f"/{kernel.initrd.path} lacks drivers, and the modules of its kernel ({kernel.version}) are not there"


def _lacking(kernel: Kernel, host: str) -> str:
    """Return which drivers a kernel does not have at all, without which it cannot start there; "" if it can."""
    there = {*kernel.available, *kernel.builtin, *(kernel.initrd.modules if kernel.initrd else ())}
    missing = [group for group in NEEDED.get(host, ()) if not there.intersection(group)]
    if not missing:
        return ""
    names = " and no ".join(group[0] for group in missing)
    instead = _INSTEAD.get(host, "choose another kind of disk there")
    return f"the kernel {kernel.version} has no {names}: {instead}"


def _plan_initrd(root: Root, kernel: Kernel, initrd: Initrd, wanted: Iterable[str]) -> tuple[Change | None, _Addition]:
    """Return the change that gives one initrd what it lacks, and the names of what it gets."""
    data = root.read(initrd.path, limit=_INITRD_LIMIT)
    contents = initrds.read(data)
    modules = kernel_modules.read(root, kernel.modules)
    addition = _plan_addition(root, modules, contents, version=kernel.version, wanted=wanted)
    if not addition.names:
        return None, addition
    packs = "CONFIG_RD_GZIP=y" in root.text_or_empty(f"boot/config-{kernel.version}").splitlines()
    archive = initramfs.archive(addition.files)
    if packs:
        archive = gzip.compress(archive, _LEVEL, mtime=0)
    if "lz4" in contents.packing:
        return Write(initrd.path, _repacked(data, contents, gzipped=packs) + archive), addition
    return Append(initrd.path, archive, align=initramfs.ALIGNMENT), addition


def _plan_addition(
    root: Root, modules: Modules, contents: Initramfs, *, version: str, wanted: Iterable[str]
) -> _Addition:
    folder = _modules_folder(contents, version)
    there = {
        module_name(path): path.removeprefix(f"{folder}/")
        for path in contents.files
        if path.startswith(f"{folder}/") and path.endswith(kernel_modules.SUFFIXES)
    }
    closure = modules.closure(name for name in wanted if name not in modules.builtin)
    new = [name for name in closure if name not in there]
    if not new:
        return _Addition()
    # Unpacked, since not every initrd's kmod can unpack them.
    added = {name: modules.paths[name].partition(".ko")[0] + ".ko" for name in new}
    files = {
        f"{folder}/{path}": kernel_modules.read_module(root, f"{modules.folder}/{modules.paths[name]}")
        for name, path in added.items()
    }
    files |= {f"{folder}/{name}": content for name, content in indexes(modules, there | added).items()}
    loading = _loading(contents, closure)
    return _Addition(tuple(new), files | loading, loads=bool(loading))


def _modules_folder(contents: Initramfs, version: str) -> str:
    """Return where the initrd has the modules of this kernel."""
    pattern = re.compile(rf"((?:usr/)?lib/modules/{re.escape(version)})/")
    found = next((match[1] for path in contents.files if (match := pattern.match(path))), None)
    if found:
        return found
    return f"usr/lib/modules/{version}" if "lib" in contents.files else f"lib/modules/{version}"


def indexes(modules: Modules, paths: Mapping[str, str]) -> dict[str, bytes]:
    """Return the lists of an initrd that holds these modules, by name and path: as text, and as kmod reads them.

    What a module needs is named only if it is there, since kmod gives up a list with a file that is missing.
    """
    lines, aliases = [], []
    for name in modules.paths:
        if name in paths:
            needed = [paths[other] for other in modules.needs[name] if other in paths]
            lines.append((name, " ".join([f"{paths[name]}:", *needed])))
    aliases = [(alias, name) for alias, name in modules.aliases if module_name(name) in paths]
    return {
        "modules.dep": "".join(f"{line}\n" for _, line in lines).encode(),
        "modules.dep.bin": module_index.build((name, line, number) for number, (name, line) in enumerate(lines)),
        "modules.alias": "".join(f"alias {alias} {name}\n" for alias, name in aliases).encode(),
        "modules.alias.bin": module_index.build(
            (kernel_modules.alias_key(alias), name, number) for number, (alias, name) in enumerate(aliases)
        ),
    }


def _loading(contents: Initramfs, closure: Iterable[str]) -> dict[str, bytes]:
    """Return the files that have these modules loaded at once, whatever udev makes of the devices.

    initramfs-tools loads what conf/modules names; dracut leaves it to systemd, or looks for rd.driver.pre.
    """
    names = list(closure)
    if any(path.startswith("scripts/init-") for path in contents.folders):
        before = contents.files.get(_CONF_MODULES) or b""
        gap = b"\n" if before and not before.endswith(b"\n") else b""
        return {_CONF_MODULES: before + gap + "".join(f"{name}\n" for name in names).encode()}
    if any(path.endswith("/systemd-modules-load") for path in contents.files):
        return {f"etc/modules-load.d/{_FILE_NAME}": "".join(f"{name}\n" for name in names).encode()}
    if any("dracut" in path for path in contents.files):
        return {f"etc/cmdline.d/{_FILE_NAME}": f"rd.driver.pre={','.join(names)}\n".encode()}
    return {}


def _repacked(data: bytes, contents: Initramfs, *, gzipped: bool) -> bytes:
    """Return an initrd with its archives of LZ4 packed otherwise, padded for another archive to follow.

    Kernels before 5.14 take what follows an archive of LZ4 for a part of it, and give up.
    """
    out = bytearray()
    ends = [*contents.starts[1:], len(data)]
    for start, end, kind in zip(contents.starts, ends, contents.packing, strict=True):
        out += bytes(-len(out) % initramfs.ALIGNMENT)
        if kind == "lz4":
            unpacked, _ = initramfs.unpack(data, start)
            out += gzip.compress(unpacked, _LEVEL, mtime=0) if gzipped else unpacked
        else:
            out += data[start:end]
    return bytes(out) + bytes(-len(out) % initramfs.ALIGNMENT)


def _plan_lasting(root: Root, wanted: Iterable[str]) -> list[Change]:
    """Return the settings with which the machine's own tools put the drivers into the next initrd too."""
    names = list(wanted)
    changes: list[Change] = []
    if root.is_folder("etc/initramfs-tools"):
        before = root.text_or_empty("etc/initramfs-tools/modules")
        listed = {line.split()[0] for line in before.splitlines() if line.split()}
        lines = "".join(f"{name}\n" for name in names if name not in listed)
        if lines:
            gap = "\n" if before and not before.endswith("\n") else ""
            text = before + gap + _COMMENT + lines
            changes.append(Write("etc/initramfs-tools/modules", text.encode("utf-8", "surrogateescape")))
    if root.is_folder("etc/dracut.conf.d"):
        line = f'add_drivers+=" {" ".join(names)} "\n'
        changes.append(Write(f"etc/dracut.conf.d/90-{_FILE_NAME}", (_COMMENT + line).encode()))
    return changes

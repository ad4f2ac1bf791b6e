"""Installed kernels, the drivers that they have, and the first file systems that they start with."""

import re
from collections.abc import Iterator

from jeos.convert import initrds
from jeos.convert.survey import DRIVERS, Initrd, Kernel, module_name
from jeos.core.errors import InputError
from jeos.disk import initramfs
from jeos.disk.root import Root

INITRD_LIMIT = 512 << 20  # bytes; rescue systems with all drivers have some 100 MiB
KERNELS_MOST = 24  # that are looked at, the newest first

_NAMES = re.compile(r"(?:vmlinuz|vmlinux|kernel|Image)-(?P<version>.+?)(?:\.efi)?")
_INITRDS = ("initrd.img-{}", "initramfs-{}.img", "initrd-{}", "initramfs-{}", "initrd-{}.img")
_WITHOUT_VERSION = ("vmlinuz-linux", "vmlinuz-linux-lts", "vmlinuz-virt", "vmlinuz-lts")  # Arch and Alpine
_MODULES = ("usr/lib/modules", "lib/modules")
_GENERATORS = (  # by a file that each puts into what it makes
    ("dracut", ("usr/lib/dracut/", "dracut-state.sh", "usr/lib/dracut-lib.sh", "etc/initrd-release")),
    ("initramfs-tools", ("conf/initramfs.conf", "scripts/functions")),
    ("mkinitcpio", ("buildconfig", "init_functions")),
)
_WANTED = tuple(dict.fromkeys(name for names in DRIVERS.values() for name in names))


def read(root: Root, *, notes: list[str]) -> tuple[Kernel, ...]:
    """Return the kernels, the newest first, with their initrds."""
    found = sorted(_kernels(root), key=lambda item: _order(item[0]), reverse=True)
    if len(found) > KERNELS_MOST:
        notes.append(f"{len(found)} kernels are installed, of which the {KERNELS_MOST} newest were looked at")
    kernels = []
    for version, path, initrd in found[:KERNELS_MOST]:
        modules = _modules(root, version)
        kernels.append(
            Kernel(
                version=version,
                path=path,
                modules=modules,
                available=_available(root, modules),
                builtin=_builtin(root, modules),
                initrd=_initrd(root, initrd, notes=notes) if initrd else None,
            )
        )
    return tuple(kernels)


def _order(version: str) -> tuple[bool, list[tuple[int, str]]]:
    """Return the key that sorts versions: numbers as numbers; rescue systems come last."""
    parts = re.findall(r"\d+|[a-z]+", version)
    return "rescue" not in version, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _kernels(root: Root) -> Iterator[tuple[str, str, str]]:
    """Yield version, path and initrd's path of each kernel."""
    names = set(root.names("boot"))
    for name in sorted(names):
        match = _NAMES.fullmatch(name)
        if name in _WITHOUT_VERSION:
            yield from _without_version(root, name, names)
        elif match and root.is_file(f"boot/{name}"):
            version = match["version"]
            initrd = next((form.format(version) for form in _INITRDS if form.format(version) in names), "")
            yield version, f"boot/{name}", f"boot/{initrd}" if initrd else ""
    # The boot loader specification's folders: MACHINE-ID/VERSION/linux, on the ESP or in /boot.
    for top in ("boot", "boot/efi", "efi"):
        for path in root.glob(f"{top}/{'[0-9a-f]' * 32}/*/linux"):
            folder = path.rpartition("/")[0]
            initrd = next(
                (f"{folder}/{name}" for name in ("initrd", "initrd.img") if root.is_file(f"{folder}/{name}")), ""
            )
            yield folder.rpartition("/")[2], path, initrd


def _without_version(root: Root, name: str, names: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield a kernel whose name does not say its version, which its folder of modules does."""
    flavour = name.removeprefix("vmlinuz-")
    versions = [version for version in root.names("lib/modules") if flavour == "linux" or version.endswith(flavour)]
    initrd = next((item for item in (f"initramfs-{flavour}.img", f"initramfs-{flavour}") if item in names), "")
    if versions:
        yield max(versions, key=_order), f"boot/{name}", f"boot/{initrd}" if initrd else ""


def _modules(root: Root, version: str) -> str:
    return next((f"{top}/{version}" for top in _MODULES if root.is_folder(f"{top}/{version}")), "")


def _available(root: Root, modules: str) -> tuple[str, ...]:
    """Return the drivers of hypervisors that a kernel has as modules."""
    text = root.text_or_empty(f"{modules}/modules.dep") if modules else ""
    return tuple(name for name in _WANTED if _stands_in(text, name))


def _builtin(root: Root, modules: str) -> tuple[str, ...]:
    text = root.text_or_empty(f"{modules}/modules.builtin") if modules else ""
    return tuple(name for name in _WANTED if _stands_in(text, name))


def _stands_in(text: str, name: str) -> bool:
    return f"/{name}.ko" in text or f"/{name.replace('_', '-')}.ko" in text


def _initrd(root: Root, path: str, *, notes: list[str]) -> Initrd:
    try:
        place = root.find(path)
        size = place.node.size
        content = root.read(path, limit=INITRD_LIMIT)
    except InputError as error:
        return Initrd(path, 0, failure=error.message)
    try:
        found = initrds.read(content)
    except InputError as error:
        notes.append(f"/{path}: {error.message}")
        return Initrd(path, size, failure=error.message)
    modules = {module_name(name) for name in found.files if ".ko" in name.rpartition("/")[2]}
    return Initrd(
        path=path,
        size=size,
        generator=_generator(found),
        compression=found.packing[-1] if found.packing else "",
        modules=tuple(sorted(modules)),
    )


def _generator(found: initramfs.Initramfs) -> str:
    for name, signs in _GENERATORS:
        if any(sign.rstrip("/") in found.folders or sign in found.files for sign in signs):
            return name
    return ""

"""How a Linux machine starts: boot code in the first sector, loaders on the ESP, GRUB's configuration, BLS entries."""

import re
from collections.abc import Iterator

from jeos.convert.survey import Boot, Loader, Mount, RootArgument
from jeos.convert.systems import Place, mounts
from jeos.core.errors import InputError
from jeos.disk.filesystems.base import FileSystem
from jeos.disk.root import Mounted, Root

ESP_TYPES = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ef")
LOADER_LIMIT = 16 << 20  # bytes of a loader that are looked at; kernel images are larger, and known by their folder

_CODE_BYTES = 440
_CODES = ((b"GRUB", "grub"), (b"LILO", "lilo"), (b"SYSLINUX", "syslinux"), (b"EXTLINUX", "syslinux"))
_FALLBACKS = {"bootx64.efi": "amd64", "bootaa64.efi": "arm64", "bootia32.efi": "i386", "bootriscv64.efi": "riscv64"}
_MACHINES = {0x8664: "amd64", 0xAA64: "arm64", 0x14C: "i386", 0x5064: "riscv64"}
_SIGNS = (  # what a loader's own bytes say
    (b"#### LoaderInfo: systemd-boot", "systemd-boot"),
    (b"$bootmgr", "windows"),
    (b"b\0o\0o\0t\0m\0g\0f\0w\0", "windows"),
    (b"UEFI SHIM", "shim"),
    (b"grub_", "grub"),
    (b".osrel", "uki"),
)
_NAMES = (("shim", "shim"), ("grub", "grub"), ("systemd-boot", "systemd-boot"), ("bootmgfw", "windows"))

_CONFIGS = ("boot/grub/grub.cfg", "boot/grub2/grub.cfg", "boot/grub/menu.lst", "boot/grub/grub.conf")
_CONFIGS_ON_ESP = ("boot/efi/EFI/*/grub.cfg", "efi/EFI/*/grub.cfg", "boot/EFI/*/grub.cfg")
_ENTRIES = ("boot/loader/entries/*.conf", "boot/efi/loader/entries/*.conf", "efi/loader/entries/*.conf")
_COMMAND_LINES = (
    "etc/default/grub",
    "etc/kernel/cmdline",
    "boot/grub2/grubenv",
    "boot/grub/grubenv",
    "boot/cmdline.txt",
)
_ROOT = re.compile(r"(?:^|[\s\"'=])root=(?P<value>[^\s\"']+)")
_KERNEL_LINE = re.compile(r"\s*(?:linux|linuxefi|linux16|kernel|module2?|options|set kernelopts)\b")
_ROOTS_MOST = 200


def read(root: Root, place: Place, found: tuple[Mount, ...]) -> Boot:
    """Return how the system starts."""
    configs = [path for path in _CONFIGS if root.is_file(path)]
    configs += [path for pattern in _CONFIGS_ON_ESP for path in root.glob(pattern)]
    entries = [path for pattern in _ENTRIES for path in root.glob(pattern)]
    loaders = tuple(
        loader
        for volume in place.survey.volumes
        if volume.type in ESP_TYPES and volume.name in place.filesystems
        for loader in _loaders(volume.name, place.filesystems[volume.name])
    )
    disk, kind = _boot_code(place, root)
    return Boot(
        bios=disk,
        bios_loader=kind,
        loaders=loaders,
        fallback=any(loader.path.rpartition("/")[2].lower() in _FALLBACKS for loader in loaders),
        configs=tuple(configs),
        entries=tuple(entries),
        roots=tuple(_roots(root, place, [*configs, *entries, *_COMMAND_LINES]))[:_ROOTS_MOST],
    )


def _boot_code(place: Place, root: Root) -> tuple[str, str]:
    """Return the disk in whose first sector boot code is, and whose: GRUB's, or "other"."""
    for disk, sector in place.first_sectors.items():
        code = sector[:_CODE_BYTES]
        if code.count(0) == len(code):
            continue
        kind = next((name for sign, name in _CODES if sign in code), "")
        if kind:
            return disk, kind
        if any(root.exists(path) for path in ("boot/extlinux", "boot/syslinux", "extlinux.conf")):
            return disk, "syslinux"
        if sector[510:512] == b"\x55\xaa" and code[0] in (0x31, 0x33, 0xEA, 0xEB, 0xFA, 0xFC):  # starts as code does
            return disk, "other"
    return "", ""


def _loaders(volume: str, filesystem: FileSystem) -> Iterator[Loader]:
    """Yield the programs below EFI on an ESP."""
    esp = Root([Mounted("", filesystem, volume=volume)])
    for path in esp.glob("EFI/*/*"):
        if not path.lower().endswith(".efi") or not esp.is_file(path):
            continue
        in_linux = path.lower().startswith("efi/linux/")
        try:
            node = esp.find(path).node
            content = filesystem.read(node, offset=0, length=4096 if in_linux else LOADER_LIMIT)
        except InputError:
            yield Loader(volume, path)
            continue
        yield Loader(volume, path, "uki" if in_linux else _kind(path, content), _architecture(content))


def _kind(path: str, content: bytes) -> str:
    name = path.rpartition("/")[2].lower()
    for sign, kind in _NAMES:
        if name.startswith(sign):
            return kind
    if name in _FALLBACKS:
        return next((kind for sign, kind in _SIGNS if sign in content), "other")
    return ""


def _architecture(content: bytes) -> str:
    """Return what a PE program's header says that it runs on."""
    at = int.from_bytes(content[0x3C:0x40], "little")
    if content[:2] != b"MZ" or content[at : at + 4] != b"PE\0\0":
        return ""
    return _MACHINES.get(int.from_bytes(content[at + 4 : at + 6], "little"), "")


def _roots(root: Root, place: Place, paths: list[str]) -> Iterator[RootArgument]:
    """Yield each `root=` of the kernels' command lines in these files."""
    for path in paths:
        any_line = path in _COMMAND_LINES
        for number, line in enumerate(root.text_or_empty(path).splitlines(), start=1):
            if line.lstrip().startswith("#") or not (any_line or _KERNEL_LINE.match(line)):
                continue
            for match in _ROOT.finditer(line):
                volume = mounts.resolve(place.survey, match["value"])
                yield RootArgument(path, number, match["value"], volume.name if volume else "")

"""Give firmware without memory a boot loader under the one name that it looks for: \\EFI\\BOOT\\BOOTX64.EFI.

The list of boot loaders is in the old home's NVRAM and does not come along. The distribution's own shim and GRUB are
copied, signed as they are, with what they need beside them: shim starts the GRUB in its own folder, and GRUB looks for
its configuration there or in the distribution's.
"""

from dataclasses import dataclass

from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.disk.root import Root

NAME = "uefi-fallback"
TITLE = "a boot loader that any UEFI firmware finds"
ORDER = 50

_MOUNT_POINTS = ("boot/efi", "efi", "boot")
_FALLBACKS = {"x64": "BOOTX64.EFI", "aa64": "BOOTAA64.EFI", "ia32": "BOOTIA32.EFI"}
_SHIMS = ("shim{}.efi", "shim.efi")
_GRUBS = ("grub{}.efi", "grub.efi")
_BESIDE = ("mm{}.efi", "MokManager.efi", "grub.cfg")  # the manager of shim's keys, and what GRUB reads
_ALONE = ("systemd-boot{}.efi", "refind_{}.efi")
_LOADER_LIMIT = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class _Copies:
    """What the fallback is made of: names in \\EFI\\BOOT, and the paths of what they are copies of."""

    files: tuple[tuple[str, str], ...]

    @property
    def loader(self) -> str:
        """Return the path of what firmware starts."""
        return self.files[0][1]


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return copies of the installed boot loader for \\EFI\\BOOT, where they are missing."""
    if not machine.linux or not _starts_by_uefi(machine):
        return None
    root = machine.root
    places = [place for place in _MOUNT_POINTS if place in root.mounts and root.is_folder(f"{place}/EFI")]
    if not places:
        why = "the EFI system partition is not mounted in this machine: its fallback loader cannot be made"
        return None if machine.system.boot.fallback else Fix(NAME, TITLE, cannot=(why,))
    changes: list[Write] = []
    notes: list[str] = []
    found = False
    for place in places:
        for architecture, fallback in _FALLBACKS.items():
            copies = _choose(root, f"{place}/EFI", architecture, fallback)
            found = found or copies is not None or root.exists(f"{place}/EFI/BOOT/{fallback}")
            if copies is None or _complete(root, f"{place}/EFI/BOOT", copies):
                continue
            for name, source in copies.files:
                path = f"{place}/EFI/BOOT/{name}"
                content = root.read(source, limit=_LOADER_LIMIT)
                if not root.is_file(path) or root.read(path, limit=_LOADER_LIMIT) != content:
                    changes.append(Write(path, content))
            others = ", ".join(name for name, _ in copies.files[1:])
            beside = f", with {others} beside it" if others else ""
            notes.append(f"/{place}/EFI/BOOT/{fallback} is a copy of /{copies.loader}{beside}")
    if not found:
        return Fix(NAME, TITLE, cannot=("no boot loader was found on the EFI system partition to copy",))
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes)) if changes else None


def _starts_by_uefi(machine: Machine) -> bool:
    return "uefi" in machine.system.boot.firmware or any(
        machine.root.is_folder(f"{place}/EFI") for place in _MOUNT_POINTS
    )


def _choose(root: Root, folder: str, architecture: str, fallback: str) -> _Copies | None:
    """Return what to copy from the folder of a distribution: shim and GRUB, else GRUB, else a loader that is alone."""
    folders = [f"{folder}/{name}" for name in root.names(folder) if name.casefold() not in ("boot", "microsoft")]
    for loaders, followers in ((_SHIMS, _GRUBS), (_GRUBS, ()), (_ALONE, ())):
        for place in folders:
            loader = _first(root, place, loaders, architecture)
            if loader is None:
                continue
            chosen = [(fallback, f"{place}/{loader}")]
            if followers:
                follower = _first(root, place, followers, architecture)
                if follower is None:
                    continue
                chosen.append((follower, f"{place}/{follower}"))
            if loaders is not _ALONE:
                beside = [name.format(architecture) for name in _BESIDE]
                chosen += [(name, f"{place}/{name}") for name in beside if root.is_file(f"{place}/{name}")]
            return _Copies(tuple(chosen))
    return None


def _first(root: Root, folder: str, names: tuple[str, ...], architecture: str) -> str | None:
    """Return the first of these names that is in a folder; names without an architecture are those of x64."""
    for name in names:
        if "{}" not in name and architecture != "x64":
            continue
        if root.is_file(f"{folder}/{name.format(architecture)}"):
            return name.format(architecture)
    return None


def _complete(root: Root, folder: str, copies: _Copies) -> bool:
    """Tell whether a fallback is there and can work: another's is trusted, a bare shim is not."""
    fallback, source = copies.files[0]
    if not root.is_file(f"{folder}/{fallback}"):
        return False
    followers = [name for name, _ in copies.files[1:] if name.startswith("grub") and name.endswith(".efi")]
    if not followers or root.read(f"{folder}/{fallback}", limit=_LOADER_LIMIT) != root.read(
        source, limit=_LOADER_LIMIT
    ):
        return True
    beside = {name.casefold() for name in root.names(folder)}
    return followers[0].casefold() in beside or any(name.startswith("fb") for name in beside)

"""Linux: what its release says, and where the rest is found."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from jeos.convert.survey import Boot, Mount, Pin, System
from jeos.convert.systems import Place, boot, kernels, mounts, networks, release, tools
from jeos.core.errors import InputError
from jeos.disk.root import Root
from jeos.model.tree import Kind

T = TypeVar("T")
_RELEASES = ("etc/os-release", "usr/lib/os-release", "etc/redhat-release", "etc/debian_version", "etc/SuSE-release")


def recognise(root: Root) -> bool:
    """Tell whether a Linux system is in these files."""
    names = {name for name, node in root.children("") if node.kind in (Kind.DIRECTORY, Kind.SYMLINK)}
    if "usr" not in names and not {"etc", "bin"} <= names:
        return False
    return any(root.is_file(path) for path in _RELEASES) or root.is_file("etc/fstab")


def files(place: Place, *, notes: list[str]) -> Root:
    """Return the files over all that fstab mounts."""
    return mounts.mounted(place, mounts.read(place.root, place.survey), notes=notes)


def describe(place: Place) -> tuple[System, Root]:
    """Return what the system is, and its files over all its mounts; parts that cannot be read are noted."""
    notes: list[str] = []

    def part(what: str, read: Callable[[], T], nothing: T) -> T:
        try:
            return read()
        except InputError as error:
            notes.append(f"{what}: {error.message}")
            return nothing

    found = part("fstab", lambda: mounts.read(place.root, place.survey), tuple[Mount, ...]())
    root = mounts.mounted(place, found, notes=notes)
    about = part("release", lambda: release.read(root), release.Release("linux"))
    pins = part("names of interfaces", lambda: networks.pins(root), tuple[Pin, ...]())
    system = System(
        family=about.family,
        volume=place.mounted.volume,
        subvolume=place.mounted.subvolume,
        id=about.id,
        name=about.name,
        version=about.version,
        pretty=about.pretty,
        architecture=part("processor", lambda: release.architecture(root), ""),
        hostname=part("host name", lambda: release.hostname(root), ""),
        packages=part("packages", lambda: release.packages(root), ""),
        initramfs=part("packages", lambda: release.initramfs(root), ""),
        boot=part("boot", lambda: boot.read(root, place, found), Boot()),
        mounts=found,
        kernels=part("kernels", lambda: kernels.read(root, notes=notes), ()),
        interfaces=part("network", lambda: networks.interfaces(root, pins, notes=notes), ()),
        pins=pins,
        tools=part("tools", lambda: tools.read(root), ()),
    )
    return replace(system, notes=tuple(dict.fromkeys(notes))), root

"""Linux: what its release says, and where the rest is found."""

from jeos.convert.root import Root
from jeos.convert.survey import System
from jeos.convert.systems import Place, boot, kernels, mounts, networks, release, tools
from jeos.core.errors import InputError
from jeos.model.tree import Kind

_RELEASES = ("etc/os-release", "usr/lib/os-release", "etc/redhat-release", "etc/debian_version", "etc/SuSE-release")


def recognise(root: Root) -> bool:
    """Tell whether a Linux system is in these files."""
    names = {name for name, node in root.children("") if node.kind in (Kind.DIRECTORY, Kind.SYMLINK)}
    if "usr" not in names and not {"etc", "bin"} <= names:
        return False
    return any(root.is_file(path) for path in _RELEASES) or root.is_file("etc/fstab")


def describe(place: Place) -> tuple[System, Root]:
    """Return what the system is, and its files over all its mounts."""
    notes: list[str] = []
    found = mounts.read(place.root, place.survey)
    root = mounts.mounted(place, found, notes=notes)
    about = release.read(root)
    installed = kernels.read(root, notes=notes)
    pins = networks.pins(root)
    system = System(
        family=about.family,
        volume=place.mounted.volume,
        subvolume=place.mounted.subvolume,
        id=about.id,
        name=about.name,
        version=about.version,
        pretty=about.pretty,
        architecture=_or_nothing(root),
        hostname=release.hostname(root),
        packages=release.packages(root),
        initramfs=release.initramfs(root),
        boot=boot.read(root, place, found),
        mounts=found,
        kernels=installed,
        interfaces=networks.interfaces(root, pins, notes=notes),
        pins=pins,
        tools=tools.read(root),
        notes=tuple(notes),
    )
    return system, root


def _or_nothing(root: Root) -> str:
    try:
        return release.architecture(root)
    except InputError:
        return ""

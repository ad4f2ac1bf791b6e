"""fstab: which file systems a machine mounts where, and which of the volumes each line means."""

import re

from jeos.convert import devices
from jeos.convert.survey import Mount, Survey, Volume
from jeos.convert.systems import Place
from jeos.core.errors import InputError
from jeos.disk.filesystems.base import FileSystem, Subvolumes
from jeos.disk.root import Mounted, Root

_LINES = 1000
_OCTAL = re.compile(r"\\([0-7]{3})")
_TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
_FOLDERS = {
    "/dev/disk/by-uuid/": "UUID",
    "/dev/disk/by-label/": "LABEL",
    "/dev/disk/by-partuuid/": "PARTUUID",
    "/dev/disk/by-partlabel/": "PARTLABEL",
}
_MAPPER = ("/dev/mapper/", "/dev/disk/by-id/dm-name-")
# Behind it are the identities of group and volume, of 32 signs each (LVM2's lib/activate/dev_manager.c).
_MAPPER_ID, _IDENTITY = "/dev/disk/by-id/dm-uuid-LVM-", 32
# Mounted by the boot, and needed to look at it; what else fstab names may be large, remote or not there.
_ESP_TYPES = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ef")
_ESP_PLACES = ("boot/efi", "efi", "boot")  # where the ESP is looked for by machines that mount it themselves


def read(root: Root, survey: Survey) -> tuple[Mount, ...]:
    """Return the lines of fstab, with the volumes that they mean; comments and what is no line are left out."""
    found = []
    for number, line in enumerate(root.text_or_empty("etc/fstab").splitlines()[:_LINES], start=1):
        words = [_OCTAL.sub(lambda match: chr(int(match[1], 8)), word) for word in line.split()]
        if len(words) < 3 or words[0].startswith("#"):
            continue
        volume = resolve(survey, words[0])
        options = words[3] if len(words) > 3 else "defaults"
        found.append(Mount(words[0], words[1], words[2], options, volume.name if volume else "", number))
    return tuple(found)


def resolve(survey: Survey, spec: str) -> Volume | None:
    """Return the volume that a name in fstab or on a kernel's command line means, None if none of them does."""
    tag, sign, value = spec.partition("=")
    if sign and tag.upper() in _TAGS:
        return _tagged(survey, tag.upper(), value.strip("\"'"))
    for folder, name in _FOLDERS.items():
        if spec.startswith(folder):
            return _tagged(survey, name, _unescaped(spec.removeprefix(folder)))
    if spec.startswith(_MAPPER_ID):
        own = spec[-_IDENTITY:]
        return next((volume for volume in survey.volumes if volume.kind == "logical" and _plain(volume) == own), None)
    if spec.startswith(_MAPPER):
        name = _group_and_volume(spec.removeprefix(_MAPPER[0]).removeprefix(_MAPPER[1]))
    elif spec.startswith("/dev/") and spec.count("/") == 3:
        name = spec.removeprefix("/dev/")
    else:
        return devices.find_volume(survey, spec)
    return survey.volume(name)


def _tagged(survey: Survey, tag: str, value: str) -> Volume | None:
    for volume in survey.volumes:
        own = {"UUID": volume.uuid, "LABEL": volume.title, "PARTLABEL": volume.label}.get(tag, "")
        if tag == "PARTUUID":
            own = devices.partition_uuid(survey, volume)
        if own and (own == value or ("UUID" in tag and own.lower() == value.lower())):
            return volume
    return None


def _unescaped(text: str) -> str:
    r"""Return a name in /dev/disk as it was before udev wrote "\x20" for a space."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text)


def _plain(volume: Volume) -> str:
    return volume.id.replace("-", "")


def _group_and_volume(name: str) -> str:
    """Return "group/volume" for the device mapper's name of it, where "-" stands between them and is written twice."""
    parts = re.split(r"(?<!-)-(?!-)", name, maxsplit=1)
    return "/".join(part.replace("--", "-") for part in parts)


def mounted(place: Place, found: tuple[Mount, ...], *, notes: list[str]) -> Root:
    """Return the files of a system over all the mounts whose volumes are there."""
    mounts = {"": place.mounted}
    for mount in found:
        where = mount.where.strip("/")
        if not mount.where.startswith("/") or not where or mount.type in ("swap", "none"):
            continue
        filesystem = place.filesystems.get(mount.volume)
        if filesystem is not None:
            _mount(mounts, mount, where, filesystem, notes=notes)
        elif not mount.volume and mount.spec.startswith(("/dev/", *(f"{tag}=" for tag in _TAGS))):
            notes.append(f"fstab mounts {mount.spec} at {mount.where}, which is on none of the disks")
    _add_esp(place, mounts)
    return Root(list(mounts.values()))


def _mount(mounts: dict[str, Mounted], mount: Mount, where: str, filesystem: FileSystem, *, notes: list[str]) -> None:
    subvolume = ""
    if isinstance(filesystem, Subvolumes):
        try:
            subvolume = subvolume_of(mount.options, filesystem)
            filesystem = filesystem.subvolume(subvolume)
        except InputError as error:
            notes.append(f"fstab mounts {mount.spec} at {mount.where}: {error.message}")
            return
    mounts[where] = Mounted(where, filesystem, volume=mount.volume, subvolume=subvolume)


def subvolume_of(options: str, filesystem: Subvolumes) -> str:
    """Return the path of the subvolume that the options of a mount name; the default one without such an option."""
    for option in options.split(","):
        name, _, value = option.partition("=")
        if name == "subvol":
            return value.strip("/")
        if name == "subvolid" and value.isdecimal():
            return filesystem.path_of(int(value))
    return next(iter(filesystem.subvolumes()), "")


def _add_esp(place: Place, mounts: dict[str, Mounted]) -> None:
    """Mount the EFI system partition where the machine's own rules would, if fstab does not say where."""
    known = {mount.volume for mount in mounts.values()}
    for volume in place.survey.volumes:
        filesystem = place.filesystems.get(volume.name)
        if volume.type not in _ESP_TYPES or volume.name in known or filesystem is None or filesystem.kind != "vfat":
            continue
        root = Root(list(mounts.values()))
        for where in _ESP_PLACES:
            if where not in mounts and root.is_folder(where) and not root.names(where):
                mounts[where] = Mounted(where, filesystem, volume=volume.name)
                return

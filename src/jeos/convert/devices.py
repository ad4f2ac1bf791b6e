"""The names that a machine has for its disks, and names that stay true when the hardware is another.

    stable_name(machine, "/dev/sda1")        # "UUID=0b9c…"
    stable_name(machine, "/dev/sr0")         # None: not one of the disks

A name such as /dev/sda1 or /dev/disk/by-id/scsi-36000… says how a disk was attached. On a new home the same one is
/dev/vda1, and only what is written in it (UUID, label, PARTUUID) still finds it.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from jeos.convert.machine import Machine
from jeos.convert.survey import Mount, Survey, Volume

# Names with a letter for the disk, and those with a number; both count disks in the order of the controller.
_LETTERED = re.compile(r"(?P<disk>/dev/(?:sd|hd|vd|xvd)(?P<letters>[a-z]{1,2}))(?P<number>\d{0,4})", re.ASCII)
_NUMBERED = re.compile(
    r"(?P<disk>/dev/(?:nvme(?P<nvme>\d{1,3})n1|mmcblk(?P<card>\d{1,3})))(?:p(?P<number>\d{1,4}))?", re.ASCII
)
_BY_HARDWARE = re.compile(r"(?P<disk>/dev/disk/by-(?:id|path)/.*?)(?:-part(?P<number>\d{1,4}))?", re.ASCII)
_REMOVABLE = re.compile(r"/dev/(?:sr|scd|cdrom|cdrw|dvd|dvdrw|fd|floppy)\d*")
NONE_KNOWN: Mapping[str, str] = MappingProxyType({})
_WITHOUT_UUID = ("", "LVM2_member", "linux_raid_member")  # contents whose UUID finds no file system


def by_hardware(name: str) -> bool:
    """Tell whether a name says how a disk was attached, and so means nothing on another machine."""
    return Mount(spec=name, where="", type="", options="").by_name and not _REMOVABLE.fullmatch(name)


def find_volume(survey: Survey, name: str, *, known: Mapping[str, str] = NONE_KNOWN) -> Volume | None:
    """Return what a name that depends on hardware means: the first disk that was given is sda, and so on.

    `known` are disks, as the survey calls them, by names for them that count more than the order. Names in
    /dev/disk/by-id and by-path are understood where they are known, or where there is one disk only.
    """
    disk_name, number = _split(name)
    disk = known.get(disk_name) or _counted_disk(survey, name)
    volumes = [item for item in survey.volumes if disk and item.disk == disk]
    if not number:
        return next((item for item in volumes if item.kind == "disk"), None)
    return next((item for item in volumes if item.number == int(number)), None)


def _split(name: str) -> tuple[str, str]:
    """Return the name of a disk, and the number of a partition on it ("" for none)."""
    for pattern in (_LETTERED, _NUMBERED, _BY_HARDWARE):
        if match := pattern.fullmatch(name):
            return match["disk"], match["number"] or ""
    return name, ""


def _known_disks(machine: Machine) -> dict[str, str]:
    """Return the disk that the root's own line of fstab names: the one where the root was found, whatever its name."""
    volume = machine.survey.volume(machine.system.volume)
    line = next((mount for mount in machine.system.mounts if mount.where == "/"), None)
    if volume is None or line is None or not volume.disk or not by_hardware(line.spec):
        return {}
    disk, number = _split(line.spec)
    return {disk: volume.disk} if int(number or 0) == volume.number else {}


def _counted_disk(survey: Survey, name: str) -> str | None:
    if match := _LETTERED.fullmatch(name):
        letters = match["letters"]
        index = ord(letters[-1]) - ord("a") + (0 if len(letters) == 1 else 26 * (ord(letters[0]) - ord("a") + 1))
    elif match := _NUMBERED.fullmatch(name):
        index = int(match["nvme"] or match["card"])
    elif _BY_HARDWARE.fullmatch(name) and len(survey.disks) == 1:
        index = 0
    else:
        return None
    return survey.disks[index].name if index < len(survey.disks) else None


def stable_name(machine: Machine, name: str) -> str | None:
    """Return a name for the same volume that is true on any hardware, as fstab and the kernel take it.

    None if `name` means none of the volumes, or one that has no identity of its own.
    """
    survey = machine.survey
    volume = find_volume(survey, name, known=_known_disks(machine))
    if volume is None:
        return None
    if volume.uuid and volume.content not in _WITHOUT_UUID:
        same = [item for item in survey.volumes if item.uuid == volume.uuid]
        if len(same) == 1:
            return f"UUID={volume.uuid}"
    identity = partition_uuid(survey, volume)
    return f"PARTUUID={identity}" if identity else None


def partition_uuid(survey: Survey, volume: Volume) -> str:
    """Return a partition's PARTUUID: the table's GUID for it, or a disk's signature and a number; "" if it has none."""
    if volume.kind != "partition":
        return ""
    disk = next((item for item in survey.disks if item.name == volume.disk), None)
    if disk is None:
        return ""
    if disk.table == "gpt":
        return volume.id.lower()
    return f"{disk.uuid.lower()}-{volume.number:02x}" if disk.table == "dos" and disk.uuid else ""

"""The names that a machine has for its disks, and names that stay true when the hardware is another.

    stable_name(survey, "/dev/sda1")        # "UUID=0b9c…"
    stable_name(survey, "/dev/sr0")         # None: not one of the disks

A name such as /dev/sda1 or /dev/disk/by-id/scsi-36000… says how a disk was attached. On a new home the same one is
/dev/vda1, and only what is written in it (UUID, label, PARTUUID) still finds it.
"""

import re

from jeos.convert.survey import Mount, Survey, Volume

# Names with a letter for the disk, and those with a number; both count disks in the order of the controller.
_LETTERED = re.compile(r"/dev/(?:sd|hd|vd|xvd)([a-z]{1,2})(\d*)")
_NUMBERED = re.compile(r"/dev/(?:nvme(\d+)n1|mmcblk(\d+))(?:p(\d+))?")
_BY_HARDWARE = re.compile(r"/dev/disk/by-(?:id|path)/.*?(?:-part(\d+))?")
_REMOVABLE = re.compile(r"/dev/(?:sr|scd|cdrom|cdrw|dvd|dvdrw|fd|floppy)\d*")
_WITHOUT_UUID = ("", "LVM2_member", "linux_raid_member")  # contents whose UUID finds no file system


def by_hardware(name: str) -> bool:
    """Tell whether a name says how a disk was attached, and so means nothing on another machine."""
    return Mount(spec=name, where="", type="", options="").by_name and not _REMOVABLE.fullmatch(name)


def find_volume(survey: Survey, name: str) -> Volume | None:
    """Return what a name that depends on hardware means: the first disk that was given is sda, and so on.

    Names in /dev/disk/by-id and by-path say nothing about the order, and are understood where there is one disk only.
    """
    if match := _LETTERED.fullmatch(name):
        letters, number = match[1], match[2]
        index = ord(letters[-1]) - ord("a") + (0 if len(letters) == 1 else 26 * (ord(letters[0]) - ord("a") + 1))
    elif match := _NUMBERED.fullmatch(name):
        index, number = int(match[1] or match[2]), match[3] or ""
    elif (match := _BY_HARDWARE.fullmatch(name)) and len(survey.disks) == 1:
        index, number = 0, match[1] or ""
    else:
        return None
    if index >= len(survey.disks):
        return None
    disk = survey.disks[index].name
    if not number:
        return next((item for item in survey.volumes if item.disk == disk and item.kind == "disk"), None)
    return next((item for item in survey.volumes if item.disk == disk and item.number == int(number)), None)


def stable_name(survey: Survey, name: str) -> str | None:
    """Return a name for the same volume that is true on any hardware, as fstab and the kernel take it.

    None if `name` means none of the volumes, or one that has no identity of its own.
    """
    volume = find_volume(survey, name)
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

"""Let a disk grow: the file, the partition table, the last partition, and the file system in it where that can be.

    for note in grow(Path("work.raw"), size=40 << 30, root="vg0/root"):    # what was done, and what is left to do
        …

`sfdisk` moves the table's copy and the partition's end; boot code and attributes stay. Where LVM is in the partition,
the volume with the system's root gets what is new. Nothing is ever made smaller.
"""

import json
from pathlib import Path

from jeos.convert.inspect import Inspection
from jeos.convert.lent import Lent
from jeos.convert.writers import ext, mounted
from jeos.core.errors import HostError, InputError, UsageError
from jeos.core.run import find_program, run
from jeos.disk.blocks import File
from jeos.disk.filesystems.detect import detect
from jeos.disk.volumes import layout, lvm_grow
from jeos.disk.volumes.base import Layout, Volume

PROGRAM = "sfdisk"
UNIT = 1 << 20  # bytes; disks are made in whole ones
_LOGICAL = 5  # the first number of the partitions within an extended one
_EXTENDED = ("5", "f", "85")  # types of those, as sfdisk writes them
_LVM = "LVM2_member"
_BY_EXT, _BY_KERNEL = ("ext2", "ext3", "ext4"), ("xfs", "btrfs")


def check(size: int, *, found: Inspection) -> None:
    """Raise UsageError if the first disk cannot be made that size, HostError if this machine cannot let it grow."""
    now = found.layout.tables[0].size
    if size < now:
        raise UsageError(
            f"--resize {size >> 20}M is less than the disk has, {now >> 20} MiB", hint="a disk can only be made larger"
        )
    find_program(PROGRAM)
    last = _last_partition(found.layout) if found.layout.tables[0].kind else found.layout.volumes[0]
    kind = _kind(last) if last else ""
    if kind == _LVM:
        grown = found.part(root_volume(found))
        kind = _kind(grown) if grown else ""
    if kind in _BY_EXT:
        ext.check_host()
    elif kind in _BY_KERNEL:
        mounted.check_growing(kind)


def root_volume(found: Inspection) -> str:
    """Return the volume with the first system's root, "" if there is no system."""
    return found.survey.systems[0].volume if found.survey.systems else ""


def grow(disk: Path, *, size: int, root: str = "") -> tuple[str, ...]:
    """Make a raw disk `size` bytes large, with what can grow in it; returns what was done and what was not.

    `root` is the volume with the system's root, which gets what is new where LVM is in the partition that grows.
    """
    size = -(-size // UNIT) * UNIT
    with File(disk) as before:
        found = layout.read([before])
        if size <= before.size:
            return ()
        last = _last_partition(found)
        swap = last is not None and (last.type == "82" or _kind(last) == "swap")
    with disk.open("r+b") as file:
        file.truncate(size)
    done = [f"the disk has {size >> 20} MiB now"]
    kind = found.tables[0].kind
    if not kind:
        return (*done, *_grow_content(disk, found.volumes[0].name, root=root))
    if kind == "gpt":
        run([PROGRAM, "--quiet", "--no-reread", "--relocate", "gpt-bak-std", disk])
    if last is None:
        return (*done, "no partition was made larger: there is none")
    if swap:
        return (*done, f"no partition was made larger: the last one, {last.name}, is swap")
    if kind == "dos" and last.number >= _LOGICAL:
        _grow_partition(disk, _extended(disk))
    _grow_partition(disk, last.number)
    grown = _volume(disk, last.name)
    larger = grown.pieces[0].size > last.pieces[0].size
    said = (f"the partition {last.name} has {grown.pieces[0].size >> 20} MiB now",) if larger else ()
    return (*done, *said, *_grow_content(disk, last.name, root=root))


def _last_partition(found: Layout) -> Volume | None:
    partitions = [volume for volume in found.volumes if volume.kind == "partition" and volume.pieces]
    partitions = [volume for volume in partitions if volume.pieces[0].disk == 0]
    return max(partitions, key=lambda volume: volume.pieces[0].start, default=None)


def _extended(disk: Path) -> int:
    """Return the number of the partition that the logical ones are in."""
    table = json.loads(run([PROGRAM, "--json", disk]).stdout)["partitiontable"]
    node = next(one["node"] for one in table["partitions"] if one["type"] in _EXTENDED)
    return int(node.removeprefix(str(disk)).removeprefix("p"))


def _grow_partition(disk: Path, number: int) -> None:
    run([PROGRAM, "--quiet", "--no-reread", "--no-tell-kernel", "-N", str(number), disk], stdin=b", +\n")


def _kind(volume: Volume) -> str:
    return detect(volume.blocks).kind


def _volume(disk: Path, name: str) -> Volume:
    """Return a volume as it is now; its bytes can no longer be read."""
    with File(disk) as file:
        return next(volume for volume in layout.read([file]).volumes if volume.name == name)


def _kind_of(disk: Path, name: str) -> str:
    with File(disk) as file:
        return _kind(next(volume for volume in layout.read([file]).volumes if volume.name == name))


def _grow_content(disk: Path, name: str, *, root: str) -> tuple[str, ...]:
    """Let what is in a partition fill it, or say what is left to do."""
    if _kind_of(disk, name) != _LVM:
        return _grow_file_system(disk, name)
    try:
        patches = _plan_lvm(disk, name, root=root)
    except InputError as error:
        which = root if "/" in root else "GROUP/VOLUME"
        return (
            f"the physical volume on {name} was not made larger ({error.message}); in the machine, `pvresize` with its "
            f"device and `lvextend --resizefs --extents +100%FREE {which}` do it",
        )
    if not patches:
        return (f"the physical volume on {name} has no room for another extent",)
    start = _volume(disk, name).pieces[0].start
    with disk.open("r+b") as file:
        for patch in patches:
            file.seek(start + patch.offset)
            file.write(patch.content)
    size = sum(piece.size for piece in _volume(disk, root).pieces)
    return (f"the logical volume {root} has {size >> 20} MiB now", *_grow_file_system(disk, root))


def _plan_lvm(disk: Path, name: str, *, root: str) -> tuple[lvm_grow.Patch, ...]:
    if "/" not in root:
        raise InputError("the system's root is on no logical volume")
    with File(disk) as file:
        partition = next(volume for volume in layout.read([file]).volumes if volume.name == name)
        return lvm_grow.plan(partition.blocks, volume=root)


def _grow_file_system(disk: Path, name: str) -> tuple[str, ...]:
    """Let a file system fill its volume, or say that it does not."""
    kind, volume = _kind_of(disk, name), _volume(disk, name)
    try:
        if kind in _BY_EXT:
            with Lent(volume, [disk], alone=True) as place:  # resize2fs cuts a file where the file system ends
                ext.grow(place)
        elif kind in _BY_KERNEL:
            with Lent(volume, [disk]) as place:
                mounted.grow(place, kind=kind)
        else:
            return (f"what is on {name} ({kind or 'unknown'}) was not made larger",)
    except HostError as error:
        return (f"the {kind} on {name} was not made larger: {error.message}",)
    return (f"the {kind} on {name} fills it",)

"""Let a disk grow: the file, the partition table, the last partition, and the file system in it where that can be.

    for note in grow(Path("work.raw"), size=40 << 30): …        # what was done, and what is left to do

`sfdisk` moves the table's copy and the partition's end; boot code and attributes stay. Nothing is ever made smaller.
"""

from pathlib import Path

from jeos.convert.lent import Lent
from jeos.convert.writers import ext, mounted
from jeos.core.errors import HostError, UsageError
from jeos.core.run import find_program, run
from jeos.disk.blocks import File
from jeos.disk.filesystems.detect import detect
from jeos.disk.volumes import layout
from jeos.disk.volumes.base import Layout, Volume

PROGRAM = "sfdisk"
UNIT = 1 << 20  # bytes; disks are made in whole ones
_EXTENDED = 5  # the first number of the partitions in an extended one


def check(size: int, *, now: int) -> None:
    """Raise UsageError if a disk cannot be made that size, HostError if this machine lacks the program."""
    if size < now:
        raise UsageError(
            f"--resize {size >> 20}M is less than the disk has, {now >> 20} MiB", hint="a disk can only be made larger"
        )
    find_program(PROGRAM)


def grow(disk: Path, *, size: int) -> tuple[str, ...]:
    """Make a raw disk `size` bytes large, with what can grow in it; returns what was done and what was not."""
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
        return (*done, *_file_system(disk, found.volumes[0]))
    if kind == "gpt":
        run([PROGRAM, "--quiet", "--no-reread", "--relocate", "gpt-bak-std", disk])
    if last is None:
        return (*done, "no partition was made larger: the last one is within another")
    if swap:
        return (*done, f"no partition was made larger: the last one, {last.name}, is swap")
    run([PROGRAM, "--quiet", "--no-reread", "--no-tell-kernel", "-N", str(last.number), disk], stdin=b", +\n")
    with File(disk) as after:
        grown = next(volume for volume in layout.read([after]).volumes if volume.name == last.name)
        larger = grown.pieces[0].size > last.pieces[0].size
        said = (f"the partition {last.name} has {grown.pieces[0].size >> 20} MiB now",) if larger else ()
        return (*done, *said, *_file_system(disk, grown))


def _last_partition(found: Layout) -> Volume | None:
    partitions = [volume for volume in found.volumes if volume.kind == "partition" and volume.pieces]
    last = max(partitions, key=lambda volume: volume.pieces[0].start, default=None)
    if last is None or (found.tables[0].kind == "dos" and last.number >= _EXTENDED):
        return None
    return last


def _kind(volume: Volume) -> str:
    return detect(volume.blocks).kind


def _file_system(disk: Path, volume: Volume) -> tuple[str, ...]:
    """Let the file system fill its partition, or say what is left to do."""
    with File(disk) as file:
        found = next(one for one in layout.read([file]).volumes if one.name == volume.name)
        kind = _kind(found)
    if kind == "LVM2_member":
        return (f"in the machine: pvresize and lvextend give the new room on {volume.name} to a volume",)
    try:
        if kind in ("ext2", "ext3", "ext4"):
            with Lent(found, [disk], alone=True) as place:  # resize2fs cuts a file where the file system ends
                ext.grow(place)
        elif kind in ("xfs", "btrfs"):
            with Lent(found, [disk]) as place:
                mounted.grow(place, kind=kind)
        else:
            return (f"what is on {volume.name} ({kind or 'unknown'}) was not made larger",)
    except HostError as error:
        return (f"the {kind} on {volume.name} was not made larger: {error.message}",)
    return (f"the {kind} on {volume.name} fills it",)

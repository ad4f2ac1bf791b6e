"""A Windows volume as a machine, for planning fixes on it, and for looking at what they did."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import hives
import ntfs_volume
from jeos.convert import write_ntfs
from jeos.convert.changes import Change, Fix, Registry, Write
from jeos.convert.machine import Machine
from jeos.convert.survey import Survey, System, Volume
from jeos.convert.windows import CONFIG
from jeos.disk import blocks
from jeos.disk.filesystems import ntfs
from jeos.disk.root import Mounted, Root

SYSTEM = System(family="windows", volume="sda2", id="windows", name="Windows")


@contextmanager
def machine(image: Path, *, extra: tuple[Mounted, ...] = (), volume: Volume | None = None) -> Iterator[Machine]:
    """Open a volume as a machine's system."""
    with blocks.File(image) as disk:
        root = Root([Mounted("", ntfs.open_filesystem(disk), volume="sda2"), *extra])
        yield Machine(Survey((), (volume,) if volume else ()), SYSTEM, root)


def apply(image: Path, fix: Fix | None, target: Path) -> Path:
    """Apply a fix to a copy of the volume; return the copy."""
    assert fix is not None
    target.write_bytes(image.read_bytes())
    with blocks.File(image) as disk:
        size = image.stat().st_size
        write_ntfs.write(target, kind="raw", start=0, size=size, volume=disk, changes=fix.changes)
    return target


def export(image: Path, hive: str, key: str, folder: Path) -> list[str]:
    """Return the lines that hivexregedit reads below a key of a hive on a volume."""
    copy = folder / f"{hive}.copy"
    copy.write_bytes(ntfs_volume.cat(image, f"{CONFIG}/{hive}"))
    return hives.export(copy, key).splitlines()[2:]


def paths(changes: tuple[Change, ...]) -> list[str]:
    """Return the paths of changes, in order."""
    return [change.path for change in changes]


def files(fix: Fix | None) -> dict[str, bytes]:
    """Return the files that a fix writes."""
    assert fix is not None
    return {change.path: change.content for change in fix.changes if isinstance(change, Write)}


def keys(fix: Fix | None) -> dict[str, dict[str, object]]:
    """Return what a fix sets in the registry, by key: names with text, list or number."""
    assert fix is not None
    found: dict[str, dict[str, object]] = {}
    for change in fix.changes:
        if isinstance(change, Registry):
            for key in change.keys:
                values = {
                    item.name: item.number if item.number is not None else item.texts or item.data
                    for item in key.values
                }
                found[f"{change.path.rpartition('/')[2]}\\{key.path}"] = {
                    name: value[0] if isinstance(value, tuple) and len(value) == 1 else value
                    for name, value in values.items()
                }
    return found


def in_family(found: Machine, family: str) -> Machine:
    """Return the machine with another family of systems."""
    return replace(found, system=replace(found.system, family=family))

"""The files of a point, for the actions that browse: which system's or volume's they are."""

import argparse

from jeos.backup.restored import PointBlocks
from jeos.backup.segments import Segments
from jeos.convert.inspect import Files, files
from jeos.core import log
from jeos.core.errors import InputError, UsageError
from jeos.disk.root import Mounted, Root
from jeos.model.snapshot import Point
from jeos.store.vault import Vault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--volume`."""
    parser.add_argument(
        "--volume",
        metavar="NAME",
        help="the files of this volume alone, as sda1 or group/volume (default: those of the system that is on the "
        "disks, over all that it mounts)",
    )


def root_of(vault: Vault, point: Point, *, volume: str | None) -> Root:
    """Return the files of a point's system, or of one volume. Raises UsageError where it must be said which."""
    segments = Segments(vault.read)
    disks = [PointBlocks(vault, disk.manifest, segments=segments) for disk in point.disks]
    found = files(disks)
    for note in found.notes:
        log.debug(note)
    if volume is not None:
        if volume not in found.filesystems:
            raise UsageError(
                f"{point.owner}@{point.number} has no volume {volume} that files can be read from",
                hint=f"there are {', '.join(found.filesystems) or 'none'}",
            )
        return _alone(found, volume)
    if len(found.systems) == 1:
        return next(iter(found.systems.values()))
    if not found.systems and len(found.filesystems) == 1:
        return _alone(found, next(iter(found.filesystems)))
    if not found.filesystems:
        reasons = "; ".join(found.notes[:3])
        raise InputError(
            f"no files can be read on the disks of {point.owner}@{point.number}{': ' if reasons else ''}{reasons}",
            hint="`jeos backup restore` writes the disks out, whatever is on them",
        )
    which = "systems" if found.systems else "volumes"
    names = ", ".join(found.systems or found.filesystems)
    raise UsageError(f"{point.owner}@{point.number} has several {which}: {names}", hint="--volume NAME chooses one")


def _alone(found: Files, volume: str) -> Root:
    return Root([Mounted("", found.filesystems[volume], volume=volume)])

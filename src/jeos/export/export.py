"""Export a disk: check, write, read back and compare; only then does the file have its name.

export(source, Path("web.ova"), target="ova", options=Options())
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from jeos.core import files, log
from jeos.core.errors import HostError, JeosError
from jeos.disk import room
from jeos.disk.blocks import File
from jeos.disk.compare import difference
from jeos.disk.watched import Watched
from jeos.export.source import Source
from jeos.export.target import Options, Target, load


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written: `size` is its own, `disk_size` that of the disk in it, in bytes."""

    path: Path
    target: str
    size: int
    disk_size: int
    warnings: tuple[str, ...] = ()


def export(
    source: Source, path: Path, *, target: str, options: Options, force: bool = False, origin: Path | None = None
) -> Exported:
    """Write a disk in the form of a target and return what was written.

    `force` replaces a file of that name, unless it is the `origin` that the disk is read from. Raises UsageError if
    there is a file already, HostError if there is no room, and JeosError if what was written is not what was read.
    """
    chosen = load(target)
    files.check_new(path, force=force, origin=origin)
    check_room(source, path, packed=chosen.PACKED)
    with files.replace(path, full=files.ROOM_FOR_FILE) as file:
        warnings = _write(chosen, source, file, options=options)
        _check(chosen, source, file, path=path)
        size = file.seek(0, 2)
    return Exported(path=path, target=target, size=size, disk_size=source.disk.size, warnings=tuple(warnings))


def check_room(source: Source, path: Path, *, packed: bool) -> None:
    """Raise HostError if the disk that `path` will be on has too little room."""
    folder = next(one for one in path.absolute().parents if one.is_dir())
    free = shutil.disk_usage(folder).free
    needed = room.needed(source.disk, packed=packed)
    if needed > free:
        raise HostError(
            f"{path} needs about {needed >> 20} MiB, and {folder} has room for {free >> 20}",
            hint=files.ROOM_FOR_FILE,
        )


def _write(target: Target, source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    with log.step("write") as step:
        watched = Watched(source.disk, tell=lambda done, size: step.update(f"{done * 100 // max(1, size)} %"))
        warnings = target.write(replace(source, disk=watched), file, options=options)
        file.flush()
        step.done(f"{file.seek(0, 2) >> 20} MiB")
    return warnings


def _check(target: Target, source: Source, file: BinaryIO, *, path: Path) -> None:
    """Raise JeosError if the disk in a file is not the one that it was made of."""
    with log.step("compare") as step, File(Path(f"/proc/self/fd/{file.fileno()}")) as written:
        watched = Watched(source.disk, tell=lambda done, size: step.update(f"{done * 100 // max(1, size)} %"))
        place = difference(watched, target.open(written))
        if place is not None:
            raise JeosError(
                f"{path}: what was written is not what was read, from byte {place} of the disk on",
                hint="try again; if it happens again, this machine's disk or memory fails, or jeos is wrong: report it",
            )
        step.done("the same")

"""Write a disk of a point out again: raw or qcow2, with holes where there were zeros, checked as it is written.

    restore(vault, disk, path, format="qcow2")

The file appears when it is complete and on the disk. Every chunk is compared with its id before it is written, so that
what is there is what was captured.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from jeos.backup.fill import Progress, fill
from jeos.backup.restored import Chunks, PointBlocks
from jeos.backup.stopped import paths_of
from jeos.core import files
from jeos.core.errors import InputError, MachineError
from jeos.disk.blocks import Blocks
from jeos.disk.formats import qcow2_write
from jeos.model.snapshot import Point, PointDisk
from jeos.vm import session
from jeos.vm.places import claim, places_of

FORMATS = ("raw", "qcow2")
MODE = 0o600  # a disk holds its users' secrets
_ZEROS = bytes(1 << 20)


class _Watched:
    """A disk that says how far it was read."""

    def __init__(self, blocks: Blocks, progress: Progress) -> None:
        self._blocks, self._progress = blocks, progress
        self.size = blocks.size

    def read(self, offset: int, length: int) -> bytes:
        self._progress(offset, self.size)
        return self._blocks.read(offset, length)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        return self._blocks.data(start, end)


def restore(
    vault: Chunks,
    disk: PointDisk,
    path: Path,
    *,
    format: str = "raw",
    durable: bool = True,
    progress: Progress | None = None,
) -> None:
    """Write a disk as a new file in one of `FORMATS`, in place of one that may be there.

    Raises StoreError or InputError for a chunk that is missing or damaged: then the file stays as it was.
    """
    with files.replace(path, mode=MODE, durable=durable, full=files.ROOM_FOR_FILE) as file:
        if format == "raw":
            file.truncate(disk.manifest.size)
            fill(vault, disk.manifest, file.fileno(), progress=progress)
        else:
            _write_qcow2(vault, disk, file, progress=progress)


def _write_qcow2(vault: Chunks, disk: PointDisk, file: BinaryIO, *, progress: Progress | None) -> None:
    blocks: Blocks = PointBlocks(vault, disk.manifest)
    qcow2_write.write(_Watched(blocks, progress) if progress else blocks, file)


def into_device(vault: Chunks, disk: PointDisk, path: Path, *, progress: Progress | None = None) -> None:
    """Write a disk onto a block device: what is zeros is written too, for the device may hold something else there.

    Raises InputError if the device is smaller, or somebody uses it.
    """
    # O_EXCL on a device: the kernel refuses while it is mounted, or a part of something (open(2)).
    descriptor = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    try:
        size, wanted = os.lseek(descriptor, 0, os.SEEK_END), disk.manifest.size
        if size < wanted:
            raise InputError(f"{path} has {size} bytes, the disk of the point {wanted}", hint="take a larger one")
        for start, end in holes(PointBlocks(vault, disk.manifest)):
            for at in range(start, end, len(_ZEROS)):
                files.write_at(descriptor, _ZEROS[: end - at], offset=at)
        fill(vault, disk.manifest, descriptor, progress=progress)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def holes(blocks: Blocks) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a disk outside of its data."""
    done = 0
    for start, end in blocks.data(0, blocks.size):
        if done < start:
            yield done, start
        done = end
    if done < blocks.size:
        yield done, blocks.size


def into_machine(vault: Chunks, point: Point, *, progress: Progress | None = None) -> list[Path]:
    """Give a stopped machine of this host its disks back as they were, and its firmware's variables; return the disks.

    All disks are complete before the first one takes its place.
    Raises MachineError if the machine is in use, or has other disks than the point.
    """
    machine = session.seen(point.owner).machine
    places = places_of(machine.name)
    paths = paths_of(machine, places)
    if len(paths) != len(point.disks):
        raise MachineError(
            f"the machine {machine.name} has {len(paths)} disks, the point {len(point.disks)}",
            hint="restore them to files: -o FILE",
        )
    descriptor = claim(places)
    try:
        with ExitStack() as stack:
            for disk, path in zip(point.disks, paths, strict=True):
                file = stack.enter_context(files.replace(path, mode=MODE, full=files.ROOM_FOR_FILE))
                _write_qcow2(vault, disk, file, progress=progress)
        if point.nvram:
            files.write(places.nvram, vault.read(point.nvram), mode=MODE)
    finally:
        os.close(descriptor)
    return paths

"""Write a disk of a point out again: raw or qcow2, with holes where there were zeros, checked as it is written.

    restore(vault, disk, path, format="qcow2")

The file appears when it is complete and on the disk. Every chunk is compared with its id before it is written, so that
what is there is what was captured.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from jeos.backup.restored import Chunks, PointBlocks
from jeos.backup.stopped import paths_of
from jeos.core import files
from jeos.core.errors import InputError, MachineError
from jeos.disk.blocks import Blocks
from jeos.disk.formats.ordered import Effort
from jeos.model.snapshot import Point, PointDisk
from jeos.vm import session
from jeos.vm.places import claim, places_of

FORMATS = ("raw", "qcow2")
DEVICE_PIECE = 4 << 20  # bytes that are written at once
MODE = 0o600  # a disk holds its users' secrets

Progress = Callable[[int, int], None]  # bytes of the disk that are done, and all


class Writer(Protocol):
    """A module that writes a format."""

    def write(self, blocks: Blocks, file: BinaryIO, *, effort: Effort = Effort.USUAL) -> None:
        """Write a disk into an empty file."""
        ...


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
    blocks: Blocks = PointBlocks(vault, disk.manifest)
    with files.replace(path, mode=MODE, durable=durable, full=files.ROOM_FOR_FILE) as file:
        _writer(format).write(_Watched(blocks, progress) if progress else blocks, file)


def _writer(name: str) -> Writer:
    return cast(Writer, import_module(f"jeos.disk.formats.{name}_write"))


def into_device(vault: Chunks, disk: PointDisk, path: Path, *, progress: Progress | None = None) -> None:
    """Write a disk onto a block device: what is zeros is written too, for the device may hold something else there.

    Raises InputError if the device is smaller, or somebody uses it.
    """
    blocks = PointBlocks(vault, disk.manifest)
    # O_EXCL on a device: the kernel refuses while it is mounted, or a part of something (open(2)).
    descriptor = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    with io.FileIO(descriptor, "r+") as device:
        size = device.seek(0, os.SEEK_END)
        if size < blocks.size:
            raise InputError(f"{path} has {size} bytes, the disk of the point {blocks.size}", hint="take a larger one")
        for start in range(0, blocks.size, DEVICE_PIECE):
            if progress:
                progress(start, blocks.size)
            _write_all(device, start, blocks.read(start, min(DEVICE_PIECE, blocks.size - start)))
        os.fsync(descriptor)


def _write_all(device: io.FileIO, start: int, content: bytes) -> None:
    device.seek(start)
    left = memoryview(content)
    while left:
        left = left[device.write(left) or 0 :]


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
                blocks: Blocks = PointBlocks(vault, disk.manifest)
                _writer("qcow2").write(_Watched(blocks, progress) if progress else blocks, file)
        if point.nvram:
            files.write(places.nvram, vault.read(point.nvram), mode=MODE)
    finally:
        os.close(descriptor)
    return paths

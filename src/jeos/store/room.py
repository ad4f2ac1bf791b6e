"""What folders take on the disk; what broken downloads left; folders that can be made again and nobody used."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jeos.core import files
from jeos.core.errors import StoreError
from jeos.store import leases

BLOCK = 512  # bytes; what `st_blocks` counts in, whatever the file system's own block is (stat(2))


@dataclass(frozen=True, slots=True)
class Leftovers:
    """How many files or folders were deleted (or would be), and the bytes that they take on the disk."""

    files: int
    freed: int


def taken(folder: Path) -> int:
    """Return the bytes that a folder takes on the disk; what may not be looked into does not count."""
    counted: set[tuple[int, int]] = set()
    total = 0
    for state in _states(folder):
        if state.st_nlink > 1:  # several names of one file
            if (state.st_dev, state.st_ino) in counted:
                continue
            counted.add((state.st_dev, state.st_ino))
        total += state.st_blocks * BLOCK
    return total


def sweep_downloads(folder: Path, *, older_than: float, dry_run: bool = False) -> Leftovers:
    """Delete the parts of downloads that nobody went on with for `older_than` seconds; locked ones (flock) stay."""
    count = freed = 0
    for path in sorted(folder.glob("*")):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        if state.st_mtime < time.time() - older_than and leases.reap(path, dry_run=dry_run):
            count += 1
            freed += state.st_blocks * BLOCK
    return Leftovers(files=count, freed=freed)


def sweep_folders(
    folders: Iterable[Path], *, mark: str, lock: Callable[[Path], Path], older_than: float, dry_run: bool = False
) -> Leftovers:
    """Delete folders whose file `mark` nobody has touched for `older_than` seconds.

    `lock` gives the lock of a folder, which its users hold; it goes with the folder. One that is in use stays.
    """
    count = freed = 0
    for folder in sorted(path for path in folders if path.is_dir() and not path.is_symlink()):
        if not _is_old(folder / mark, older_than=older_than):
            continue
        with contextlib.suppress(StoreError), files.locked(lock(folder), wait=False):
            if not _is_old(folder / mark, older_than=older_than):
                continue
            count += 1
            freed += taken(folder)
            if not dry_run:
                files.remove_tree(folder)
                lock(folder).unlink(missing_ok=True)
    return Leftovers(files=count, freed=freed)


def _is_old(mark: Path, *, older_than: float) -> bool:
    """Tell whether a mark, or its folder if it has none yet, was last touched longer ago than `older_than` seconds."""
    for place in (mark, mark.parent):
        with contextlib.suppress(FileNotFoundError):
            return place.stat().st_mtime < time.time() - older_than
    return False


def _states(folder: Path) -> Iterator[os.stat_result]:
    for place, _, names in os.walk(folder):
        for name in (".", *names):
            try:
                yield Path(place, name).lstat()
            except OSError:  # deleted meanwhile
                continue

"""What folders take on the disk, and what broken downloads left in one."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jeos.store import leases

BLOCK = 512  # bytes; what `st_blocks` counts in, whatever the file system's own block is (stat(2))


@dataclass(frozen=True, slots=True)
class Leftovers:
    """How many files were deleted (or would be), and the bytes that they take on the disk."""

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


def _states(folder: Path) -> Iterator[os.stat_result]:
    for place, _, names in os.walk(folder):
        for name in (".", *names):
            try:
                yield Path(place, name).lstat()
            except OSError:  # deleted meanwhile
                continue

"""Garbage collection: delete the objects that no root lists and nobody wanted for a while. Safe beside writers.

1. Take the horizon: `older_than` ago, or the start of the oldest lease that is held. What was wanted since stays.
2. Read the roots. A process that let go of its lease before step 1 has named its objects by now.
3. Delete each object that is neither listed nor wanted since the horizon, looking once more as it goes
   (`LocalStore.discard`).

The order of 1 and 2 is what makes it safe. Nothing is locked but a second collection.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from jeos.core import files
from jeos.store import leases
from jeos.store.local import LocalStore
from jeos.store.roots import read_index, roots

GRACE = 14 * 24 * 3600.0  # seconds; a cache is worth keeping for what one builds every week or two


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a collection deleted (or would) and kept: files of objects, bytes on the disk, leftovers of writers."""

    deleted: int
    freed: int
    kept: int
    partial: int


def prune(store: LocalStore, *, older_than: float = GRACE, dry_run: bool = False) -> Pruned:
    """Delete what no root lists and nobody wanted for `older_than` seconds, and what killed writers left.

    Raises StoreError if a collection or repair runs already, or if a root or an index that it names is damaged:
    without it one cannot know what to keep.
    """
    if not store.folder.is_dir():
        return Pruned(deleted=0, freed=0, kept=0, partial=0)
    with upkeep_lock(store):
        horizon = leases.horizon(store.leases, older_than=older_than)
        keep = set(referenced(store))
        if not dry_run:
            store.put_back()
        deleted = freed = kept = 0
        for found in store.object_files():
            gained = None
            if bytes.fromhex(found.digest) not in keep:
                gained = _reclaimable(found.path, horizon) if dry_run else store.discard(found, unused_since=horizon)
            if gained is None:
                kept += 1
            else:
                deleted, freed = deleted + 1, freed + gained
        partial = _clear_leftovers(store, horizon, dry_run=dry_run)
    return Pruned(deleted=deleted, freed=freed, kept=kept, partial=partial)


def upkeep_lock(store: LocalStore) -> AbstractContextManager[None]:
    """Keep a second collection or repair out during the block; raises StoreError if one runs already."""
    busy = f"the store in {store.folder} is being collected or checked by another process"
    return files.locked(store.folder / "upkeep.lock", wait=False, busy=busy)


def referenced(store: LocalStore) -> Iterator[bytes]:
    """Yield the SHA-256 (32 bytes) of each object that a root lists, itself or through an index."""
    for root in roots(store):
        for digest in root.objects:
            yield bytes.fromhex(digest)
        for digest in root.indexes:
            yield bytes.fromhex(digest)
            for chunk in read_index(store, digest).digests():
                yield bytes.fromhex(chunk)


def _reclaimable(path: Path, horizon: int) -> int | None:
    """Return the bytes that deleting an object's file would free, or None if it was wanted since the horizon."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return None if state.st_mtime_ns >= horizon else state.st_blocks * 512


def _clear_leftovers(store: LocalStore, horizon: int, *, dry_run: bool) -> int:
    """Delete the files that killed writers left, and return how many there were."""
    count = sum(leases.reap(path, dry_run=dry_run) for path in sorted(store.partial.glob("*")))
    for path in sorted((store.folder / "refs").glob(f"*/.*{files.PARTIAL_SUFFIX}")):
        if _reclaimable(path, horizon) is not None:
            count += 1
            if not dry_run:
                path.unlink(missing_ok=True)
    return count

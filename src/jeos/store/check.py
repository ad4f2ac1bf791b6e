"""Look at every object of a store again: is each what its name says, is everything there that a root lists?

A check reads all that is kept. `repair` moves what is wrong to the folder `damaged`, so that what needs it is fetched
or built again; nothing is deleted. A plain and a packed file of one object are two files, each checked.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import InputError
from jeos.store import object_file
from jeos.store.base import DamagedObjectError, MissingObjectError
from jeos.store.local import LocalStore
from jeos.store.object_file import ObjectFile
from jeos.store.prune import upkeep_lock
from jeos.store.roots import read_index, roots

WORKERS = min(4, os.cpu_count() or 1)  # hashing leaves the interpreter's lock; beyond four the disk is the limit


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    `damaged` and `foreign` are paths under the store's folder, `missing` digests that a root lists, directly or
    through an index. `moved` tells whether what is wrong was moved to the folder `damaged`.
    """

    objects: int
    damaged: tuple[str, ...]
    foreign: tuple[str, ...]
    missing: tuple[str, ...]
    moved: bool

    @property
    def sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not (self.damaged or self.foreign or self.missing)


def check(store: LocalStore, *, repair: bool = False, progress: Callable[[int], None] = lambda count: None) -> Checked:
    """Rehash every object, and look for everything that a root lists.

    `progress` is told how many files were looked at. Raises StoreError if a root is damaged, or, with `repair`, if a
    collection runs.
    """
    with ExitStack() as stack:
        if repair and store.folder.is_dir():
            stack.enter_context(upkeep_lock(store))
        found, foreign = _files(store)
        damaged: list[Path] = []
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            for count, (file, sound) in enumerate(
                zip(found, pool.map(object_file.is_sound, found), strict=True), start=1
            ):
                if not sound:
                    damaged.append(file.path)
                progress(count)
        if repair:
            _move_aside(store, [*damaged, *foreign])
        missing = _missing(store)
    return Checked(
        objects=len(found),
        damaged=tuple(str(path.relative_to(store.folder)) for path in damaged),
        foreign=tuple(str(path.relative_to(store.folder)) for path in foreign),
        missing=missing,
        moved=repair,
    )


def _files(store: LocalStore) -> tuple[list[ObjectFile], list[Path]]:
    """Return what is under `objects`: the objects' files, and what does not belong there."""
    found: list[ObjectFile] = []
    foreign: list[Path] = []
    for path in sorted(store.objects.glob("*")):
        if not path.is_dir() or path.is_symlink() or len(path.name) != 2:
            foreign.append(path)
            continue
        for inner in sorted(path.iterdir()):
            file = object_file.parse(inner)
            if file is None or inner.is_symlink() or not inner.is_file():
                foreign.append(inner)
            else:
                found.append(file)
    return found, foreign


def _move_aside(store: LocalStore, paths: list[Path]) -> None:
    folder = store.folder / "damaged"
    for path in paths:
        folder.mkdir(exist_ok=True)
        path.replace(folder / f"{path.parent.name}-{path.name}")


def _missing(store: LocalStore) -> tuple[str, ...]:
    """Return the digests that a root lists and the store does not have."""
    missing: set[str] = set()
    for root in roots(store):
        missing.update(digest for digest in (*root.objects, *root.indexes) if not store.has(digest))
        for index in root.indexes:
            try:
                chunks = read_index(store, index).digests()
            except (MissingObjectError, DamagedObjectError, InputError):  # it stands in one of the lists already
                continue
            missing.update(digest for digest in chunks if not store.has(digest))
    return tuple(sorted(missing))

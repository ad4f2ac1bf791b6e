"""Digests of files and of our own code, of which the keys of caches are made: other code may make another thing."""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

import jeos

PACKAGE = Path(jeos.__file__).parent


def of_files(paths: Iterable[Path]) -> str:
    """Return one digest of the names and contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        data = path.read_bytes()
        digest.update(f"{path.name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


@functools.cache
def of_code(*names: str) -> str:
    """Return the digest of modules of jeos ("build.archive") and of folders with all that is in them ("agent").

    A name stands for both where both are there, as for `build.initrd`.
    """
    found: list[Path] = []
    for name in names:
        place = PACKAGE.joinpath(*name.split("."))
        module = place.with_suffix(".py")
        found += [module] if module.exists() or not place.is_dir() else []
        found += sorted(_sources(place))
    return of_files(found)


def _sources(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)

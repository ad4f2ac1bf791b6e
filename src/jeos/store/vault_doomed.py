"""Lists of packs that are about to be deleted: documents under `doomed/`, the packs' ids one behind the other."""

import os
from collections.abc import Iterable

from jeos.store.places.place import MissingFileError
from jeos.store.vault_files import VaultFiles
from jeos.store.vault_index import PACK_ID_SIZE
from jeos.store.vault_lease import DOOMED


def doom(files: VaultFiles, doomed: Iterable[bytes]) -> str:
    """Write a new list and return its name."""
    name = f"{DOOMED}{os.urandom(8).hex()}"
    files.write_new(name, b"".join(sorted(doomed)))
    return name


def read(files: VaultFiles, name: str) -> frozenset[bytes]:
    """Return the packs in a list; none if it is gone, because it was executed. Raises DamagedFileError."""
    try:
        content = files.read(name)
    except MissingFileError:
        return frozenset()
    return frozenset(content[start : start + PACK_ID_SIZE] for start in range(0, len(content), PACK_ID_SIZE))


def packs(files: VaultFiles, names: Iterable[str]) -> frozenset[bytes]:
    """Return the packs in these lists."""
    return frozenset().union(*(read(files, name) for name in names))

"""Which packs a vault really has, whole: the listing is the truth, the indexes only say where to look."""

from dataclasses import dataclass

from jeos.store.vault_chunks import Loaded
from jeos.store.vault_files import VaultFiles
from jeos.store.vault_index import Location
from jeos.store.vault_pack import FOLDER, TAIL, id_of


@dataclass(frozen=True, slots=True)
class Standing:
    """Packs with their sizes in bytes and times of writing; `wrong` are those that indexes name and are not whole."""

    sizes: dict[bytes, int]
    modified: dict[bytes, float]
    wrong: frozenset[bytes]

    def whole(self, at: Location) -> bool:
        """Tell whether the pack of a chunk is there, and as long as it must be."""
        return at.pack in self.sizes and at.pack not in self.wrong


def standing(files: VaultFiles, loaded: Loaded) -> Standing:
    """Look which packs there are."""
    sizes: dict[bytes, int] = {}
    modified: dict[bytes, float] = {}
    for found in files.found(FOLDER):
        pack = id_of(found.name)
        if pack is not None:
            sizes[pack], modified[pack] = found.size, found.modified
    wrong = set()
    for table in loaded.tables.values():
        for pack, end in table.packs().items():
            if sizes.get(pack, 0) < end + TAIL.size:
                wrong.add(pack)
    return Standing(sizes=sizes, modified=modified, wrong=frozenset(wrong))

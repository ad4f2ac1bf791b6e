"""Which packs a vault really has, whole: the listing is the truth, the indexes only say where to look."""

from dataclasses import dataclass

from jeos.store.vault_chunks import Loaded
from jeos.store.vault_files import VaultFiles
from jeos.store.vault_index import Location
from jeos.store.vault_pack import FOLDER, TAIL, id_of


@dataclass(frozen=True, slots=True)
class Standing:
    """Packs with their sizes in bytes and times of writing.

    `wrong` are those that indexes name and are not whole, `unknown` those that no index names: their writer is at
    work, or was killed, or the index is lost.
    """

    sizes: dict[bytes, int]
    modified: dict[bytes, float]
    wrong: frozenset[bytes]
    unknown: frozenset[bytes]

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
    ends: dict[bytes, int] = {}
    for table in loaded.tables.values():
        for pack, end in table.packs().items():
            ends[pack] = max(end, ends.get(pack, 0))
    wrong = frozenset(pack for pack, end in ends.items() if sizes.get(pack, 0) < end + TAIL.size)
    return Standing(sizes=sizes, modified=modified, wrong=wrong, unknown=frozenset(sizes.keys() - ends.keys()))

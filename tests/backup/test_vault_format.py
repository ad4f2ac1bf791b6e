"""A reader that was written from the reference alone reads what jeos writes."""

import random
from pathlib import Path

import pytest

from jeos.backup.create import Source, create
from jeos.disk.blocks import Memory
from jeos.model.snapshot import Consistency
from jeos.store import vault_keys
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault
from vault_reader import VaultReader

SIZE = (66 << 20) + 12_345  # two segments, the last not full, and a chunk that is cut off


def disk() -> bytearray:
    content = bytearray(SIZE)
    source = random.Random(3)
    for at in (0, 65 << 20, SIZE - 5000):
        content[at : at + 5000] = source.randbytes(5000)
    content[1 << 20 : 2 << 20] = bytes(range(256)) * 4096
    return content


@pytest.mark.parametrize("by_directories", [False, True])
@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_reader_of_the_reference_reads_what_jeos_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passphrase: str | None, by_directories: bool
) -> None:
    monkeypatch.setattr(vault_keys, "COST", 1 << 8)
    vault = Vault.create(FolderPlace(tmp_path), passphrase=passphrase)
    contents = {}
    content = disk()
    for number in range(2):
        content[65 << 20 : (65 << 20) + 10] = b"changed %2d" % number  # so that the second has a segment with a base
        content[5 << 20] = number
        source = Source("vda", "raw", Memory(bytes(content)))
        contents[create(vault, [source], owner="web01", consistency=Consistency.STOPPED).name] = bytes(content)
    reader = VaultReader(tmp_path, passphrase=passphrase or "", by_directories=by_directories)
    assert {name: reader.disk(name, 0) for name in vault.points()} == contents
    bases = [chunk_id for chunk_id in reader.places if reader.chunk(chunk_id)[:8] == b"jeos-dif"]
    assert bases
    if vault.master:
        by_recovery = VaultReader(tmp_path, recovery=vault_keys.recovery(vault.master))
        assert {name: by_recovery.disk(name, 0) for name in vault.points()} == contents

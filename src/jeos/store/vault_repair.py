"""Mend a vault after a verification: out of what is sound in it, and out of another vault where there is one.

Damaged indexes are made anew from the packs' own directories. What is sound in a damaged pack is written into a new
one, what is not comes from the `source`; then the pack is doomed, as a collection dooms what is not needed. What is in
no source stays lost, but is not counted as stored any more: if the disk still has it, the next backup brings it back.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from jeos.core.errors import JeosError, StoreError
from jeos.store import vault_doomed, vault_index
from jeos.store.base import DamagedObjectError, MissingObjectError
from jeos.store.places.place import MissingFileError
from jeos.store.vault import Needs, Vault
from jeos.store.vault_check import Report, check
from jeos.store.vault_chunks import INDEXES, Asked
from jeos.store.vault_collect import execute
from jeos.store.vault_errors import DamagedFileError
from jeos.store.vault_pack import read_directory
from jeos.store.vault_rewrite import rewrite
from jeos.store.vault_session import POINTS
from jeos.store.vault_standing import standing

ROUNDS = 5  # a list of chunks that comes back shows which of these are missing, too

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Repaired:
    """How many chunks came back out of the source, how many were only moved, and what is still wrong."""

    fetched: int
    moved: int
    left: Report


def repair(
    vault: Vault,
    report: Report,
    *,
    needs: Needs,
    source: Vault | None = None,
    progress: Progress = lambda text: None,
) -> Repaired:
    """Mend what a verification found."""
    for finding in report.findings:
        if finding.name.startswith(INDEXES):
            vault.files.delete(finding.name)
    if report.wrong:  # from here on no writer counts on them
        vault_doomed.doom(vault.files, report.wrong)
    moved, fetched = _move_sound(vault, report), 0
    _forget(vault, report.wrong)
    left = check(vault, needs=needs, read=False)
    for _ in range(ROUNDS):
        progress("fetching what is lost")
        count = _fetch(vault, left, source)
        fetched += count
        left = check(vault, needs=needs, read=False)
        if left.sound or not count:
            break
    with suppress(StoreError):  # while a point lacks something, nothing is deleted: `left` says so
        execute(vault, needs=needs, progress=progress)
        left = check(vault, needs=needs, read=False)
    vault.files.publish()
    return Repaired(fetched=fetched, moved=moved, left=left)


def _move_sound(vault: Vault, report: Report) -> int:
    """Write what is sound in damaged packs into new ones; the session makes an index for packs that have none."""
    places: set[Asked] = set()
    for table in vault.chunks.reload().tables.values():
        places.update(entry for entry in table if entry[1].pack in report.wrong)
    sizes = standing(vault.files, vault.chunks.loaded()).sizes
    for pack in report.wrong & sizes.keys():
        with suppress(DamagedFileError, MissingFileError):  # then what the indexes say has to do
            places.update(read_directory(vault.place, pack, size=sizes[pack], seal=vault.files.seal))
    # Damaged in a part of the vault that was not read, too: only what opens is moved.
    moved = 0
    with vault.session() as session:
        for chunk_id, at in sorted(places - report.bad.keys(), key=lambda entry: (entry[1].pack, entry[1].offset)):
            if not session.has(chunk_id):
                with suppress(DamagedObjectError, MissingObjectError):
                    rewrite(vault, session, [(chunk_id, at)])
                    moved += 1
    return moved


def _forget(vault: Vault, packs: set[bytes]) -> None:
    """Write one index in place of all, which names these packs no more."""
    loaded = vault.chunks.reload()
    merged = vault_index.merge(loaded.tables.values(), keep=lambda pack: pack not in packs)
    if len(merged):
        vault.files.write_new(f"{INDEXES}{os.urandom(12).hex()}", bytes(merged.records))
    for name in loaded.tables:
        vault.files.delete(name)


def _fetch(vault: Vault, report: Report, source: Vault | None) -> int:
    """Bring back what the points lack; return how many chunks and points came."""
    if source is None:
        return 0
    lost = {chunk_id for chunks in report.lost.values() for chunk_id in chunks}
    fetched = 0
    with vault.session() as session:
        for data in _readable(source, lost):
            session.write(data)
            fetched += 1
    for name in report.broken:
        try:
            vault.read_point(name)
        except DamagedFileError:
            with suppress(JeosError):
                document = source.read_point(name)
                vault.files.delete(f"{POINTS}{name}")
                vault.files.write_new(f"{POINTS}{name}", document)
                fetched += 1
    return fetched


def _readable(source: Vault, chunk_ids: Iterable[bytes]) -> Iterable[bytes]:
    for chunk_id in sorted(chunk_ids):
        with suppress(MissingObjectError, DamagedObjectError):
            yield source.read(chunk_id)

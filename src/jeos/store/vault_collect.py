"""Collect what no point needs, beside any number of writers and other collections.

Nothing is locked. A collection goes through these steps, and may be killed between any two:

1. *Plan*: see which chunks the points need; packs without any are to go, and packs that are mostly waste, or small and
   many, are written anew first (as any writer does: under a lease, pack, index).
2. *Doom*: write the list of the packs that are to go. Whoever begins to write afterwards sees it, and does not count on
   these packs. Whoever began before has a lease that does not name the list.
3. *Execute*, when no living lease is left that does not name the list; else a later collection does. Look at the points
   again; what they need and no other pack has is copied out of the doomed packs. Then delete the packs, drop them from
   the indexes, and delete the list last.

A writer first writes its lease and then looks for lists, a collection first writes its list and then looks for leases:
so one of them sees the other. A writer that was taken for dead (its lease was broken before the points were looked at)
looks for the mark after its commit, and takes the commit back. A pack that is doomed is never reprieved, so that two
collections that execute one list do not have to agree; and a chunk in two packs that two collections doom, each
because of the other, is copied out by at least one, because each looks at all lists after writing its own.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from jeos.core.errors import JeosError, StoreError
from jeos.store import vault_doomed, vault_index, vault_lease
from jeos.store.vault import Needs, Vault
from jeos.store.vault_chunks import INDEXES, Asked, Loaded
from jeos.store.vault_index import Table
from jeos.store.vault_lease import DOOMED, Others
from jeos.store.vault_pack import PACK_SIZE, name_of
from jeos.store.vault_rewrite import rewrite
from jeos.store.vault_standing import Standing, standing

WASTE = 0.5  # a pack of which more than this part is not needed is written anew
SMALL = PACK_SIZE // 4  # bytes below which a pack is small
MANY = 32  # small packs are written anew together when there are as many
INDEXES_KEPT = 8  # more are merged into one
ROUNDS = 5  # looks at what other collections do meanwhile, before the rest is left to a later one

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did, or (`dry_run`) would do: bytes and packs; `waiting` packs go when writers have ended."""

    deleted: int = 0
    freed: int = 0
    rewritten: int = 0
    rewritten_bytes: int = 0
    waiting: int = 0
    needed_bytes: int = 0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A vault as it was looked at: packs, their indexes as one table, and which of its records the points need."""

    standing: Standing
    loaded: Loaded
    table: Table
    needed: bytearray
    doomed: dict[str, frozenset[bytes]]
    others: Others
    gone: frozenset[bytes] = field(default=frozenset())  # all that is doomed


def collect(vault: Vault, *, needs: Needs, dry_run: bool = False, progress: Progress = lambda text: None) -> Collected:
    """Delete what no point needs, and give back the room of packs that are mostly waste.

    Raises StoreError, and deletes nothing, if a point cannot be read, or chunks that it needs are not there.
    """
    view = look(vault, needs=needs, progress=progress)
    unneeded, wasteful = plan(view)
    used = sum(at.length for at in _needed_places(view))
    if dry_run:
        freed = sum(view.standing.sizes[pack] for pack in unneeded | wasteful)
        kept = sum(at.length for at in _needed_places(view) if at.pack in wasteful)
        waiting = sum(len(packs) for name, packs in view.doomed.items() if view.others.blocks(name))
        return Collected(
            len(unneeded), freed - kept, len(wasteful), kept, waiting=waiting, needed_bytes=used, dry_run=True
        )
    progress("writing packs anew")
    moved = _move(vault, view, wasteful)
    if unneeded or wasteful:
        vault_doomed.doom(vault.files, unneeded | wasteful)
    executed = execute(vault, needs=needs, progress=progress)
    vault_lease.forget(vault.files, now=vault_lease.clock(vault.files))
    return Collected(
        deleted=executed.deleted,
        freed=executed.freed,
        rewritten=len(wasteful),
        rewritten_bytes=moved,
        waiting=executed.waiting,
        needed_bytes=used,
    )


def look(vault: Vault, *, needs: Needs, progress: Progress = lambda text: None) -> View:
    """Look at a vault: lists of doomed packs, then leases, packs, indexes, and the points at last.

    The order is what makes a collection safe: see above. Raises StoreError if what points need is not there.
    """
    files = vault.files
    doomed = {found.name: vault_doomed.read(files, found.name) for found in files.found(DOOMED)}
    others = vault_lease.others(files, now=vault_lease.clock(files))
    names = vault.points()
    loaded, there = _settled(vault)
    if loaded.damaged:
        raise StoreError(
            f"nothing is deleted: {loaded.damaged[0].message}",
            hint="`jeos backup verify --repair` makes the indexes anew from the packs",
        )
    table = vault_index.merge(loaded.tables.values(), keep=lambda pack: pack in there.sizes)
    gone = frozenset[bytes]().union(*doomed.values())
    view = View(there, loaded, table, bytearray(len(table)), doomed, others, gone)
    for number, name in enumerate(names):
        progress(f"point {number + 1} of {len(names)}")
        try:
            _mark(view, needs(vault, name), point=name)
        except JeosError:
            if name in vault.points():
                raise
    return view


def _settled(vault: Vault) -> tuple[Loaded, Standing]:
    """Return the indexes and the packs of one moment: while other collections move chunks, look again."""
    for _ in range(ROUNDS):
        loaded = vault.chunks.reload()
        there = standing(vault.files, loaded)
        if vault.chunks.reload().tables.keys() == loaded.tables.keys():
            return loaded, there
    raise StoreError(f"others change {vault.where} all the time", hint="wait until they have ended, then try again")


def _mark(view: View, chunk_ids: Iterable[bytes], *, point: str) -> None:
    """Mark one record for each chunk."""
    for chunk_id in chunk_ids:
        places = list(view.table.numbered(chunk_id))
        if not places:
            raise StoreError(
                f"nothing is deleted: chunk {chunk_id.hex()} of the point {point} is missing",
                hint="`jeos backup verify` tells which points are touched; mend them, or delete them first",
            )
        # Of several places the best: whole and staying, else whole and doomed, which is copied out in time.
        best = min(places, key=lambda place: (not view.standing.whole(place[1]), place[1].pack in view.gone))
        view.needed[best[0]] = 1


def _needed_places(view: View) -> list[vault_index.Location]:
    return [view.table.entry(number)[1] for number in _marked(view.needed)]


def _marked(marks: bytearray) -> Iterable[int]:
    number = marks.find(1)
    while number >= 0:
        yield number
        number = marks.find(1, number + 1)


def plan(view: View) -> tuple[set[bytes], set[bytes]]:
    """Return the packs that nothing needs, and those that are to be written anew; neither is doomed yet.

    Packs that are younger than the oldest lease are left alone: most likely their writer is about to commit a point.
    """
    used: dict[bytes, int] = {}
    for at in _needed_places(view):
        used[at.pack] = used.get(at.pack, 0) + at.length
    oldest = min(view.others.began.values(), default=float("inf"))
    old = {
        pack
        for pack, modified in view.standing.modified.items()
        if pack not in view.gone and modified < oldest and pack not in view.standing.wrong
    }
    unneeded = {pack for pack in old if not used.get(pack)}
    wasteful = {pack for pack in old - unneeded if used[pack] < (1 - WASTE) * view.standing.sizes[pack]}
    small = {pack for pack in old - unneeded if view.standing.sizes[pack] < SMALL}
    return unneeded, wasteful | small if len(small) >= MANY else wasteful


def _move(vault: Vault, view: View, packs: set[bytes]) -> int:
    """Write the needed chunks of these packs into new ones; return how many bytes that took."""
    asked = [entry for number in _marked(view.needed) if (entry := view.table.entry(number))[1].pack in packs]
    if not asked:
        return 0
    with vault.session() as session:
        rewrite(vault, session, asked)
    return session.new_bytes


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of the lists of doomed packs."""

    deleted: int = 0
    freed: int = 0
    waiting: int = 0


def execute(vault: Vault, *, needs: Needs, progress: Progress = lambda text: None) -> Executed:
    """Delete the packs of all lists that no writer stands in the way of; merge the indexes."""
    for _ in range(ROUNDS):
        view = look(vault, needs=needs, progress=progress)
        ready = [name for name in view.doomed if not view.others.blocks(name)]
        waiting = sum(len(view.doomed[name]) for name in view.doomed if name not in ready)
        if not ready:
            _merge_indexes(vault, view, gone=frozenset(), always=False)
            return Executed(waiting=waiting)
        kept: list[Asked] = [
            entry for number in _marked(view.needed) if (entry := view.table.entry(number))[1].pack in view.gone
        ]
        if not kept:
            return _delete(vault, view, ready, waiting=waiting)
        progress("copying out of doomed packs")
        with vault.session() as session:
            rewrite(vault, session, kept)
    return Executed(waiting=waiting)


def _delete(vault: Vault, view: View, ready: list[str], *, waiting: int) -> Executed:
    packs = frozenset[bytes]().union(*(view.doomed[name] for name in ready))
    there = packs & view.standing.sizes.keys()
    for pack in sorted(there):
        vault.files.delete(name_of(pack))
    _merge_indexes(vault, view, gone=packs, always=True)
    for name in ready:  # last, so that who sees no list finds no index that names these packs
        vault.files.delete(name)
    return Executed(deleted=len(there), freed=sum(view.standing.sizes[pack] for pack in there), waiting=waiting)


def _merge_indexes(vault: Vault, view: View, *, gone: frozenset[bytes], always: bool) -> None:
    """Write one index in place of all that were read, without packs that are gone, where that is worth it."""
    if not always and len(view.loaded.tables) <= INDEXES_KEPT:
        return
    merged = vault_index.merge([view.table], keep=lambda pack: pack not in gone)
    if len(merged):
        vault.files.write_new(f"{INDEXES}{os.urandom(12).hex()}", bytes(merged.records))
    for name in view.loaded.tables:
        vault.files.delete(name)
    vault.files.publish()
    vault.chunks.reload()

"""Collections: what no point needs goes, and nothing else, whatever happens between any two steps."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jeos.core.errors import StoreError
from jeos.store import vault_collect, vault_lease
from jeos.store.places.folder import FolderPlace
from jeos.store.places.memory import MemoryPlace
from jeos.store.vault import Vault
from jeos.store.vault_collect import Collected, collect
from jeos.store.vault_errors import BrokenLeaseError
from vault_worlds import Killed, SteppedPlace, backup, content, expected, needs, stored


def packs(place: MemoryPlace) -> list[str]:
    return sorted(name for name in place.files if name.startswith("packs/"))


def leftovers(place: MemoryPlace) -> list[str]:
    return [name for name in place.files if name.startswith(("leases/", "doomed/", "broken/"))]


def old_world() -> tuple[MemoryPlace, dict[str, list[str]]]:
    """Return a vault with three points, one of which was deleted: a pack is not needed, another is mostly waste."""
    place = MemoryPlace()
    vault = Vault.create(place)
    backup(vault, "web/1", ["a", "b", "c", "d", "e"])
    backup(vault, "web/2", ["e", "f"])
    backup(vault, "web/3", ["g", "h"])
    for point in ("web/1", "web/3"):
        vault.delete_point(point)
    return place, {"web/2": ["e", "f"]}


def same(place: MemoryPlace) -> MemoryPlace:
    copy = MemoryPlace()
    for name, data in place.files.items():
        copy.put_new(name, data)
    return copy


def test_collect_deletes_what_no_point_needs_and_rewrites_what_is_mostly_waste() -> None:
    place, points = old_world()
    vault = Vault.open(place)
    before = dict(place.files)
    would = collect(vault, needs=needs, dry_run=True)
    assert place.files == before
    assert (would.deleted, would.rewritten, would.dry_run) == (1, 1, True)
    done = collect(vault, needs=needs)
    assert (done.deleted, done.rewritten, done.waiting) == (2, 1, 0)
    assert (done.rewritten_bytes, done.needed_bytes) == (len(content("e")), 2 * len(content("e")))
    assert len(packs(place)) == 2
    assert stored(Vault.open(place)) == expected(points)
    assert leftovers(place) == []
    assert collect(vault, needs=needs) == Collected(needed_bytes=2 * len(content("e")))


def test_collect_empties_a_vault_without_points() -> None:
    place, _ = old_world()
    vault = Vault.open(place)
    vault.delete_point("web/2")
    assert collect(vault, needs=needs).deleted == 3
    assert sorted(place.files) == ["catalogue", "vault.json"]
    backup(vault, "web/4", ["a"])
    assert stored(Vault.open(place)) == expected({"web/4": ["a"]})


def test_collect_waits_for_a_writer_that_began_before() -> None:
    place, points = old_world()
    vault, writer = Vault.open(place), Vault.open(place)
    with writer.session() as session:
        ids = [session.write(content(name)) for name in ("a", "g", "new")]  # two of them are not needed by any point
        assert session.new_chunks == 1
        assert collect(vault, needs=needs).waiting == 2
        session.commit_point("web/4", b"".join(ids))
    points |= {"web/4": ["a", "g", "new"]}
    assert stored(Vault.open(place)) == expected(points)
    done = collect(vault, needs=needs)
    assert (done.waiting, done.deleted >= 2) == (0, True)
    assert stored(Vault.open(place)) == expected(points)
    assert leftovers(place) == []


def test_writer_that_begins_after_does_not_count_on_what_is_doomed() -> None:
    place, points = old_world()
    vault = Vault.open(place)
    with Vault.open(place).session():  # so that the lists stay
        collect(vault, needs=needs)
    with Vault.open(place).session() as session:
        ids = [session.write(content(name)) for name in ("a", "e", "f")]
        assert session.new_chunks == 1  # "e" was written anew by the collection
        assert not session.holds([*ids, session.name(content("g"))])
        session.commit_point("web/4", b"".join(ids))
    collect(vault, needs=needs)
    assert stored(Vault.open(place)) == expected(points | {"web/4": ["a", "e", "f"]})


def test_collect_leaves_packs_of_a_writer_that_is_at_work() -> None:
    place = MemoryPlace()
    vault = Vault.create(place)
    with vault.session() as session:
        ids = [session.write(content("a"))]
        session.flush()
        assert collect(Vault.open(place), needs=needs) == Collected()
        session.commit_point("web/1", b"".join(ids))
    assert stored(Vault.open(place)) == expected({"web/1": ["a"]})


@pytest.mark.parametrize("harm", ["index", "pack", "point"])
def test_collect_deletes_nothing_from_a_vault_that_is_damaged(harm: str) -> None:
    place, _ = old_world()
    kept = {name for name in place.files if name.startswith("packs/")}
    victim = sorted(
        name for name in place.files if name.startswith({"index": "index/", "point": "points/"}.get(harm, "-"))
    )
    if harm == "pack":
        for name in kept:
            del place.files[name]
        kept = set()
    else:
        place.files[victim[0]] = place.files[victim[0]][:-1]
    with pytest.raises(StoreError):
        collect(Vault.open(place), needs=needs)
    assert {name for name in place.files if name.startswith("packs/")} == kept


def test_small_packs_are_written_anew_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_collect, "MANY", 5)
    place = MemoryPlace()
    vault = Vault.create(place)
    points = {f"web/{number}": [str(number)] for number in range(12)}
    for point, names in points.items():
        backup(vault, point, names)
    assert (len(packs(place)), len(vault.chunks.reload().tables)) == (12, 12)
    done = collect(vault, needs=needs)
    assert (done.rewritten, len(packs(place)), len(vault.chunks.reload().tables)) == (12, 1, 1)
    assert stored(Vault.open(place)) == expected(points)


def _steps(act: Callable[[Vault], None], place: MemoryPlace) -> int:
    counter = SteppedPlace(same(place))
    act(Vault.open(counter))
    return counter.steps


def _collect(vault: Vault) -> None:
    collect(vault, needs=needs)


def _write(vault: Vault) -> None:
    backup(vault, "web/4", ["a", "g", "e", "new"])


def test_collect_that_is_killed_at_any_step_loses_nothing() -> None:
    old, points = old_world()
    steps = _steps(_collect, old)
    for at in range(steps):
        place = same(old)
        with pytest.raises(Killed):
            vault = Vault.open(SteppedPlace(place, at=at))
            _collect(vault)
        assert stored(Vault.open(place)) == expected(points), at
        backup(Vault.open(place), "web/5", ["a", "h"])
        _forget_the_dead(place)
        _collect(Vault.open(place))
        assert stored(Vault.open(place)) == expected(points | {"web/5": ["a", "h"]}), at
        assert [name for name in leftovers(place) if not name.startswith("broken/")] == [], at


def test_writer_that_is_killed_at_any_step_leaves_a_whole_point_or_none() -> None:
    old, points = old_world()
    for at in range(_steps(_write, old)):
        place = same(old)
        with pytest.raises(Killed):
            _write(Vault.open(SteppedPlace(place, at=at)))
        there = points | ({"web/4": ["a", "g", "e", "new"]} if "points/web/4" in place.files else {})
        assert stored(Vault.open(place)) == expected(there), at
        _forget_the_dead(place)
        _collect(Vault.open(place))
        assert stored(Vault.open(place)) == expected(there), at


def _forget_the_dead(place: MemoryPlace) -> None:
    """Let leases be old: this process, which they name, still lives."""
    for name in [name for name in place.files if name.startswith("leases/")]:
        place._written[name] = (0.0, "old")


ACTS: dict[str, tuple[Callable[[Vault], None], dict[str, list[str]]]] = {
    "write": (_write, {"web/4": ["a", "g", "e", "new"]}),
    "collect": (_collect, {}),
    "write other": (lambda vault: backup(vault, "web/5", ["b", "h", "f"]), {"web/5": ["b", "h", "f"]}),
}


@pytest.mark.parametrize("inner", ["write other", "collect"])
@pytest.mark.parametrize("outer", ["write", "collect"])
def test_another_at_any_step_loses_nothing(outer: str, inner: str) -> None:
    old, points = old_world()
    act, more = ACTS[outer]
    other, others = ACTS[inner]
    for at in range(_steps(act, old)):
        place = same(old)
        act(Vault.open(SteppedPlace(place, at=at, act=lambda place=place: other(Vault.open(place)))))  # type: ignore[misc]
        assert stored(Vault.open(place)) == expected(points | more | others), at
        _collect(Vault.open(place))
        assert stored(Vault.open(place)) == expected(points | more | others), at
        assert leftovers(place) == [], at


@pytest.mark.parametrize("first", range(0, 60, 12))
def test_two_collections_and_a_writer_interleaved_lose_nothing(first: int) -> None:
    """A collection is interrupted by a writer, which is interrupted by another collection at each of its steps."""
    old, points = old_world()
    for second in range(0, 40, 2):
        place = same(old)

        def inner(place: MemoryPlace = place, second: int = second) -> None:
            _write(Vault.open(SteppedPlace(place, at=second, act=lambda: _collect(Vault.open(place)))))

        stepped = SteppedPlace(place, at=first, act=inner)
        _collect(Vault.open(stepped))
        there = points | (ACTS["write"][1] if stepped.steps > first else {})
        assert stored(Vault.open(place)) == expected(there), second
        _collect(Vault.open(place))
        assert stored(Vault.open(place)) == expected(there), second


def test_writer_that_slept_takes_its_commit_back() -> None:
    """The writer is taken for dead between its two looks at the lease: before, and after the point was written."""
    old, points = old_world()
    outcomes = set()
    for at in range(_steps(_write, old)):
        place = same(old)

        def overslept(place: MemoryPlace = place) -> None:
            _forget_the_dead(place)
            _collect(Vault.open(place))

        try:
            _write(Vault.open(SteppedPlace(place, at=at, act=overslept)))
            there = points | ACTS["write"][1]
        except BrokenLeaseError:
            there = points
        outcomes.add(len(there))
        assert stored(Vault.open(place)) == expected(there), at
        _collect(Vault.open(place))
        assert stored(Vault.open(place)) == expected(there), at
    assert outcomes == {1, 2}


def test_lease_of_a_process_that_is_gone_stands_in_nobodys_way(tmp_path: Path) -> None:
    vault = Vault.create(FolderPlace(tmp_path))
    alive, gone = vault_lease.this_process(), [*vault_lease.this_process()[:2], "1", "1"]
    assert [vault_lease.is_dead(process) for process in (alive, gone, ["other boot", *gone[1:]], None, "x")] == [
        *(False, True, False, False, False)
    ]
    for number, process in enumerate((alive, gone)):
        text = f'{{"process": {str(process).replace(chr(39), chr(34))}, "seen": [], "began": 1}}'
        vault.files.write(f"leases/{number}", text.encode())
    assert list(vault_lease.others(vault.files, now=time.time()).seen) == ["0"]
    assert list(vault_lease.others(vault.files, now=time.time() + 2 * vault_lease.EXPIRES).seen) == []

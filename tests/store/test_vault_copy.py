"""Copies of a vault: only what is missing is sent, between any two vaults, and goes on after it was killed."""

import pytest

from jeos.core.errors import StoreError
from jeos.store.places.memory import MemoryPlace
from jeos.store.vault import Vault
from jeos.store.vault_copy import Copied, copy
from vault_worlds import Killed, SteppedPlace, backup, content, expected, needs, stored

POINTS = {"web/1": ["a", "b", "c"], "web/2": ["b", "c", "d"]}


def made(passphrase: str | None = None) -> Vault:
    vault = Vault.create(MemoryPlace(), passphrase=passphrase)
    for point, names in POINTS.items():
        backup(vault, point, names)
    return vault


@pytest.mark.parametrize("target", [None, "battery staple"])
@pytest.mark.parametrize("source", [None, "correct horse"])
def test_copy_gives_the_same_points_whatever_encrypts(source: str | None, target: str | None) -> None:
    second = Vault.create(MemoryPlace(), passphrase=target)
    done = copy(made(source), second, needs=needs)
    assert (done.points, done.chunks) == (("web/1", "web/2"), 4)
    assert stored(Vault.open(second.place, secret="battery staple")) == expected(POINTS)


def test_copy_sends_only_what_is_missing() -> None:
    first, second = made(), Vault.create(MemoryPlace())
    copy(first, second, needs=needs, names=["web/1"])
    assert stored(second) == expected({"web/1": POINTS["web/1"]})
    assert copy(first, second, needs=needs).chunks == 1
    assert copy(first, second, needs=needs) == Copied()
    backup(second, "mail/1", ["x"])  # the target has backups of its own, too
    assert stored(Vault.open(second.place)) == expected(POINTS | {"mail/1": ["x"]})


def test_copy_that_is_killed_at_any_step_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made()
    counter = SteppedPlace(MemoryPlace())
    copy(first, Vault.create(counter), needs=needs)
    for at in range(5, counter.steps):
        place = MemoryPlace()
        second = Vault.create(SteppedPlace(place, at=at))
        with pytest.raises(Killed):
            copy(first, second, needs=needs)
        sent = sum(len(data) for name, data in place.files.items() if name.startswith("packs/"))
        there = {name: POINTS[name] for name in Vault.open(place).points()}
        assert stored(Vault.open(place)) == expected(there), at
        done = copy(first, Vault.open(place), needs=needs)
        assert sent // len(content("a")) + done.chunks == 4, at
        assert stored(Vault.open(place)) == expected(POINTS), at


def test_copy_of_a_damaged_chunk_is_refused() -> None:
    first, second = made(), Vault.create(MemoryPlace())
    assert isinstance(first.place, MemoryPlace)
    pack = sorted(name for name in first.place.files if name.startswith("packs/"))[0]
    first.place.files[pack] = first.place.files[pack][:10] + b"?" + first.place.files[pack][11:]
    with pytest.raises(StoreError, match="damaged"):
        copy(first, second, needs=needs)
    assert all(stored(second)[name] == expected(POINTS)[name] for name in second.points())
